"""What the director is asked for and what it answers: plain data, no wire types."""

from dataclasses import dataclass, field

from framecast.planner.storyboard import Scene


@dataclass(frozen=True)
class VideoSpec:
    """A validated request, every default filled in.

    Attributes:
        request_id: names the video in logs; one video at a time may have it.
        width, height: pixels.
        fps: frames per second of the container.
        seed: of the whole video, 0 … 2**63 - 1.
        steps: denoising steps.
        guidance_scale: classifier-free guidance.
        codec: a name from `framecast.media.codecs`.
    """

    request_id: str
    width: int
    height: int
    fps: int
    seed: int
    steps: int
    guidance_scale: float
    codec: str


@dataclass(frozen=True)
class StoryRequest:
    """A story for the planner."""

    text: str
    max_scenes: int


@dataclass(frozen=True)
class SceneStarted:
    """Scene `index` begins at frame `first_frame` of the video."""

    index: int
    scene: Scene
    first_frame: int


@dataclass(frozen=True)
class Chunk:
    """Encoded frames: `data` starts with a keyframe and decodes alone after the init segment.

    `unsafe` of its frames, and of those of the pictures behind it that were encoded with it, are not to be shown, says
    the model's safety checker.
    """

    index: int
    scene: int
    first_frame: int
    frames: int
    data: bytes
    mime: str
    unsafe: int = 0


@dataclass
class Stats:
    """What a video cost so far. Seconds, counted from when it had its place.

    Attributes:
        engine_seconds: inside the engines, by stage: plan, text, denoise, decode, review, encode, mux. Stages overlap,
            so the sum may exceed the total.
    """

    scenes: int = 0
    segments: int = 0
    chunks: int = 0
    frames: int = 0
    bytes: int = 0
    first_chunk_seconds: float = 0.0
    total_seconds: float = 0.0
    engine_seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """The last event of a video."""

    stats: Stats


Event = SceneStarted | Chunk | Done
