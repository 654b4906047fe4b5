"""What callers send and receive: frozen data, no protobuf.

Unset numbers (0 or None) mean the server's default, which `ServerInfo.defaults` names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Codec(str, Enum):
    """How frames come back: H.264, VP9 and AV1 in fragmented MP4; JPEG, PNG and WebP one picture a chunk."""

    H264 = "h264"
    VP9 = "vp9"
    AV1 = "av1"
    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"

    @property
    def is_image(self) -> bool:
        """Whether every chunk is one picture of its own."""
        return self in (Codec.JPEG, Codec.PNG, Codec.WEBP)


class Camera(str, Enum):
    """What the camera does during a scene."""

    STATIC = "static"
    PAN_LEFT = "pan left"
    PAN_RIGHT = "pan right"
    ZOOM_IN = "zoom in"
    ZOOM_OUT = "zoom out"


@dataclass(frozen=True)
class Scene:
    """One scene.

    Attributes:
        prompt: what is seen.
        seconds: length; 0 means one segment of the server's model.
        camera: what the camera does.
        negative_prompt: what must not be seen.
        seed: of this scene's noise, or None to derive it from the video's.
    """

    prompt: str
    seconds: float = 0.0
    camera: Camera = Camera.STATIC
    negative_prompt: str = ""
    seed: int | None = None


@dataclass(frozen=True)
class VideoOptions:
    """How the video is made.

    Attributes:
        width, height: pixels.
        fps: frames per second.
        seed: of the whole video, 0 … 2**63 - 1; the server draws one when None.
        steps: denoising steps.
        guidance_scale: classifier-free guidance.
        codec: how frames come back; None is the server's default.
        request_id: names the video, at most 64 visible ASCII characters; the client makes one when empty.
    """

    width: int = 0
    height: int = 0
    fps: int = 0
    seed: int | None = None
    steps: int = 0
    guidance_scale: float | None = None
    codec: Codec | None = None
    request_id: str = ""


@dataclass(frozen=True)
class Accepted:
    """The video will be made. After a retry a second `Accepted` says that it begins anew.

    Attributes:
        request_id: its name in the server's logs.
        options: with every default filled in.
        seconds_to_first_frame: the server's estimate; 0 when it has nothing to go by yet.
    """

    request_id: str
    options: VideoOptions
    seconds_to_first_frame: float


@dataclass(frozen=True)
class SceneStarted:
    """Scene `index` begins at frame `first_frame` of the video."""

    index: int
    scene: Scene
    first_frame: int


@dataclass(frozen=True)
class Chunk:
    """Encoded frames. All `data` of a video codec, concatenated, is one fragmented MP4.

    Attributes:
        index: of the chunk in the video.
        scene: index of the scene it shows.
        first_frame: of the video, counted from 0.
        frames: how many frames it holds.
        keyframe: whether it decodes on its own (after the first chunk's header).
        data: the encoded bytes.
        mime: media type of `data`.
    """

    index: int
    scene: int
    first_frame: int
    frames: int
    keyframe: bool
    data: bytes = field(repr=False)
    mime: str


@dataclass(frozen=True)
class Stats:
    """What a video cost.

    Seconds count from when it had its place, without its wait; `engine_seconds` is by stage, and stages overlap.
    """

    scenes: int
    segments: int
    chunks: int
    frames: int
    bytes: int
    first_chunk_seconds: float
    total_seconds: float
    engine_seconds: Mapping[str, float]


@dataclass(frozen=True)
class Done:
    """The last event of a complete video."""

    stats: Stats


Event = Accepted | SceneStarted | Chunk | Done


@dataclass(frozen=True)
class ServerInfo:
    """What a server makes, and its limits.

    Attributes:
        version: of Framecast.
        bundle: name of the served model family.
        defaults: options used where a caller sets none.
        size_multiple: width and height must be multiples of this, pixels.
        max_width, max_height: pixels.
        max_scenes: in one video whose scenes are sent.
        max_scene_seconds, max_video_seconds: lengths.
        max_story_characters: length of a story.
        min_steps, max_steps: denoising steps.
        segment_seconds: length of the frames that are denoised together.
        codecs: what it encodes.
        source: digest of the bundle, the exporter and its options; empty: the server does not say.
        max_story_scenes: the most that a story is planned in; 0: the server does not say.
    """

    version: str
    bundle: str
    defaults: VideoOptions
    size_multiple: int
    max_width: int
    max_height: int
    max_scenes: int
    max_scene_seconds: float
    max_video_seconds: float
    max_story_characters: int
    min_steps: int
    max_steps: int
    segment_seconds: float
    codecs: tuple[Codec, ...]
    source: str = ""
    max_story_scenes: int = 0
