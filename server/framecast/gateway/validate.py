"""Wire messages to validated requests: a bad field is refused by name before any stage runs.

Unset numbers become the served model's defaults here; nothing behind this file knows that a field can be unset.
"""

import math
import re
import secrets
import unicodedata
import uuid
from collections.abc import Callable

from framecast.client.v1 import video_pb2 as pb
from framecast.director.model import ServedModel
from framecast.director.video import StoryRequest, VideoSpec
from framecast.errors import InvalidRequest
from framecast.gateway.config import Limits
from framecast.planner.storyboard import Scene

MAX_SEED = 2**63 - 1

# Tabs and line ends are text; every other control character, NUL first, and lone surrogates are not.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_NOTHING = ("Cc", "Cf", "Cs", "Zs", "Zl", "Zp")  # Unicode's categories of what is not seen
_LIGATURES = 2  # times its limit that a text may have with every ligature written out
_REQUEST_ID = re.compile(r"[!-~]{1,64}")


class Validator:
    """Validates against what `model` can make and `limits` allow. Every method raises InvalidRequest.

    Args:
        model, limits: see there.
        review: takes a field and its text; raises ContentRefused.
    """

    def __init__(
        self, model: ServedModel, limits: Limits, review: Callable[[str, str], None] = lambda field, text: None
    ) -> None:
        self._model = model
        self._limits = limits
        self._review = review

    def spec(self, options: pb.VideoOptions) -> VideoSpec:
        """The options of a video, every default filled in."""
        model, limits = self._model, self._limits
        return VideoSpec(
            request_id=_request_id(options.request_id),
            width=self._size("options.width", options.width, model.width, limits.width),
            height=self._size("options.height", options.height, model.height, limits.height),
            fps=_whole_number("options.fps", options.fps, 1, limits.fps, model.fps),
            # A double, and so a number of JavaScript, holds 53 bits: what the caller is told can be sent again.
            seed=_seed("options.seed", options.seed) if options.HasField("seed") else secrets.randbits(53),
            steps=self._steps(options.steps),
            guidance_scale=(
                _number("options.guidance_scale", options.guidance_scale, limits.guidance_scale)
                if options.HasField("guidance_scale")
                else model.guidance_scale
            ),
            codec=self._codec(options.codec),
        )

    def story(self, text: str, max_scenes: int, prefix: str = "story.") -> StoryRequest:
        """A story for the planner; `prefix` comes before the names of its fields."""
        most = self._limits.story_scenes(self._model.max_scenes)
        story = StoryRequest(
            text=_text(prefix + "text", text, self._limits.story_characters),
            max_scenes=_whole_number(prefix + "max_scenes", max_scenes, 1, most, most),
        )
        self._review(prefix + "text", story.text)
        return story

    def scene(self, message: pb.Scene, guidance_scale: float = 1.0) -> Scene:
        """One scene of a video that is guided so strongly."""
        limit = self._limits.prompt_characters
        if message.camera not in pb.Camera.values():
            raise InvalidRequest("scene.camera", f"{message.camera} is not a camera this server knows")
        camera = pb.Camera.Name(message.camera or pb.STATIC)
        scene = Scene(
            prompt=_text("scene.prompt", message.prompt, limit),
            seconds=_number("scene.seconds", message.seconds, self._limits.scene_seconds),
            camera=camera.lower().replace("_", " "),
            negative_prompt=_text("scene.negative_prompt", message.negative_prompt, limit, may_be_empty=True),
            seed=_seed("scene.seed", message.seed) if message.HasField("seed") else None,
        )
        self._review("scene.prompt", scene.prompt)
        if guidance_scale < 1:  # a graph of before 2026-11-27 then draws what the negative prompt says
            self._review("scene.negative_prompt", scene.negative_prompt)
        return scene

    def film(self, spec: VideoSpec) -> "FilmLength":
        """Counts the scenes of one video."""
        return FilmLength(self._limits, self._model.segment_frames / spec.fps, spec.guidance_scale)

    def _size(self, field: str, value: int, default: int, most: int) -> int:
        multiple = self._model.size_multiple
        value = value or default
        nearest = max(multiple, min(most // multiple, (value + multiple // 2) // multiple) * multiple)
        if value < 0 or value > most:
            raise InvalidRequest(field, f"{value} is not between {multiple} and {most}; the nearest size is {nearest}")
        if value % multiple:
            raise InvalidRequest(field, f"{value} is not a multiple of {multiple}; the nearest size is {nearest}")
        return value

    def _steps(self, value: int) -> int:
        steps = value or self._model.steps
        if steps not in self._model.step_counts:
            counts = sorted(self._model.step_counts)
            together = counts == list(range(counts[0], counts[-1] + 1))
            served = f"{counts[0]} to {counts[-1]}" if together else f"one of {', '.join(map(str, counts))}"
            raise InvalidRequest("options.steps", f"{value} steps are not served; choose {served}")
        return steps

    def _codec(self, value: int) -> str:
        if value == pb.CODEC_UNSPECIFIED:
            return self._limits.codecs[0]
        name = pb.Codec.Name(value).lower() if value in pb.Codec.values() else str(value)
        if name not in self._limits.codecs:
            raise InvalidRequest(
                "options.codec", f"{name} is not served; choose one of {', '.join(self._limits.codecs)}"
            )
        return name


class FilmLength:
    """How much of its limits a video has used, scene by scene.

    Attributes:
        guidance_scale: of all its scenes.
        scenes: how many it has so far.
    """

    def __init__(self, limits: Limits, segment_seconds: float, guidance_scale: float) -> None:
        self.guidance_scale = guidance_scale
        self._limits = limits
        self._segment_seconds = segment_seconds
        self.scenes = 0
        self._seconds = 0.0

    def add(self, scene: Scene) -> None:
        """Raises InvalidRequest when `scene` is one too many or makes the video too long."""
        self.scenes += 1
        self._seconds += scene.seconds or self._segment_seconds
        if self.scenes > self._limits.scenes:
            raise InvalidRequest("scene", f"a video has at most {self._limits.scenes} scenes")
        if not scene.seconds and self._segment_seconds > self._limits.scene_seconds:
            raise InvalidRequest(
                "scene.seconds",
                f"a scene without a length has {self._segment_seconds:g} s at this options.fps, and "
                f"{self._limits.scene_seconds:g} s is the longest; say how long it is",
            )
        if round(self._seconds, 6) > self._limits.video_seconds:
            most = self._limits.video_seconds
            raise InvalidRequest(
                "scene.seconds", f"with scene {self.scenes} the video is longer than the {most:g} s this server makes"
            )


def _request_id(value: str) -> str:
    if not value:
        return uuid.uuid4().hex
    if not _REQUEST_ID.fullmatch(value):
        raise InvalidRequest("options.request_id", "must be at most 64 visible ASCII characters")
    return value


def _text(field: str, value: str, most: int, *, may_be_empty: bool = False) -> str:
    if len(value) > most:
        raise InvalidRequest(field, f"has {len(value)} characters and may have at most {most}")
    if found := _FORBIDDEN.search(value):
        raise InvalidRequest(
            field, f"contains the control character U+{ord(found[0]):04X} at {found.start()}; remove it"
        )
    if len(unicodedata.normalize("NFKC", value)) > _LIGATURES * most:  # a single U+FDFA is eighteen letters to review
        raise InvalidRequest(field, f"has more than {_LIGATURES * most} characters once its ligatures are written out")
    if not may_be_empty and all(unicodedata.category(each) in _NOTHING for each in value):
        raise InvalidRequest(field, "is empty; say what is to be seen")
    return value


def _whole_number(field: str, value: int, least: int, most: int, default: int) -> int:
    if value == 0:
        return default
    if not least <= value <= most:
        raise InvalidRequest(field, f"{value} is not between {least} and {most}")
    return value


def _number(field: str, value: float, most: float) -> float:
    if not math.isfinite(value) or not 0 <= value <= most:
        raise InvalidRequest(field, f"{value:.12g} is not between 0 and {most:g}")
    return value


def _seed(field: str, value: int) -> int:
    if value > MAX_SEED:
        raise InvalidRequest(field, f"{value} is larger than 2**63 - 1")
    return value
