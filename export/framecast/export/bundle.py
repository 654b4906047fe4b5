"""A bundle: a diffusers pipeline directory with a `planner/` beside the pipeline's parts.

What the diffusers format has no field for is in the bundle's optional `framecast.json` (`Conventions`).
"""

import json
import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from framecast.director.camera import BY_VIEW, WAYS
from framecast.errors import InvalidRepository
from framecast.export.checks import check_fold, check_length, check_parts, native_sides
from framecast.gateway.config import Limits
from framecast.planner.prompts import SUBJECTS


@dataclass(frozen=True)
class Fold:
    """How many frames, pixel rows and pixel columns the VAE folds into its channels.

    Channel ((frame · 3 + rgb) · rows + row) · columns + column of the VAE is pixel (row, column) of that frame's
    block. An image VAE folds nothing.
    """

    frames: int = 1
    rows: int = 1
    columns: int = 1

    @property
    def channels(self) -> int:
        """Channels of the VAE's pictures."""
        return 3 * self.frames * self.rows * self.columns


# What a video may ask for, where a default is one's, and else what no model needs.
_MOST = {
    "fps": Limits.fps,
    "guidance_scale": Limits.guidance_scale,
    "hold": 240,
    "width": 8192,
    "height": 8192,
    "steps": 1000,
    "segment_latents": 1024,
    "chunk_latents": 1024,
    "planner_max_scenes": Limits.scenes,
    "planner_max_new_tokens": 65536,
}
_KINDS: dict[type, str] = {int: "a whole number", float: "a number"}


@dataclass(frozen=True)
class Conventions:
    """`framecast.json`.

    Attributes:
        fold: see `Fold`.
        fps, steps, guidance_scale: defaults for a video.
        width, height: defaults for a video; the UNet's own `sample_size`, as in diffusers, where the file names none.
        max_side: largest width or height that the models draw well, pixels; 0: whatever the export allows.
        camera: how a scene's camera is heard: ``view`` moves a view over the picture; ``prompt`` says it in the prompt,
            for weights that have learnt its words.
        hold: frames that every latent's picture is shown for; a slide show of an image family.
        guidance_rescale: share of the guided output brought back to the conditional one's deviation.
        segment_latents: latents denoised together, as in training.
        context_latents: latents of the segment before that condition the next.
        chunk_latents: latents decoded and encoded together.
        planner_max_scenes: of a storyboard.
        planner_max_new_tokens: of an answer.
        planner_subjects: subject → nouns that stories may use for it; a story that names none is refused. For a small
            planner that has learnt these only; none: every story is planned.
        planner_prompts: a regular expression of the prompts that the planner may write, without look-around; where it
            has ``{subjects}``, one of those stands that the story names, so `planner_subjects` must list every form of
            every noun. For a planner whose prompts have one form; empty: whatever it writes.
        planner_instructions: a system message for a planner that was not trained on storyboards.
        unsafe_labels: of an image classifier in `safety_checker/`, those that are not shown.
        safety_strictness: added to its scores; above 0 more pictures are refused, below 0 fewer.
    """

    fold: Fold = field(default_factory=Fold)
    fps: int = 8
    width: int = 512
    height: int = 512
    steps: int = 25
    guidance_scale: float = 7.5
    max_side: int = 0
    camera: str = BY_VIEW
    hold: int = 1
    guidance_rescale: float = 0.0
    segment_latents: int = 16
    context_latents: int = 0
    chunk_latents: int = 4
    planner_max_scenes: int = 6
    planner_max_new_tokens: int = 512
    planner_subjects: dict[str, list[str]] = field(default_factory=dict)
    planner_prompts: str = ""
    planner_instructions: str = ""
    unsafe_labels: list[str] = field(default_factory=list)
    safety_strictness: float = 0.0

    def __post_init__(self) -> None:
        self._check_types()
        if self.camera not in WAYS:
            raise ValueError(f"camera is {self.camera!r}; it must be {' or '.join(WAYS)}")
        if not 0 <= self.guidance_rescale <= 1:
            raise ValueError(f"guidance_rescale is {self.guidance_rescale}; it must be between 0 and 1")
        for name, most in _MOST.items():
            value, least = getattr(self, name), 0 if name == "guidance_scale" else 1
            if value < least:
                raise ValueError(f"{name} is {value}; it must be at least {least}")
            if value > most:
                raise ValueError(f"{name} is {value}; it must be at most {most}")
        if self.max_side and self.max_side < max(self.width, self.height):
            raise ValueError(f"max_side is {self.max_side}; it must not be below width and height")
        if SUBJECTS in self.planner_prompts and not self.planner_subjects:
            raise ValueError(f"planner_prompts has {SUBJECTS}, and there are no planner_subjects to stand there")
        if not 0 <= self.context_latents < self.segment_latents:
            raise ValueError(f"context_latents is {self.context_latents}; it must be below segment_latents")

    def _check_types(self) -> None:
        """JSON has no types of ours. Raises TypeError."""
        for each in fields(self):
            found = getattr(self, each.name)
            default = getattr(type(self), each.name, None)
            if isinstance(default, int | float) and (
                isinstance(found, bool)
                or not isinstance(found, int if isinstance(default, int) else int | float)
                or not math.isfinite(found)
            ):
                raise TypeError(f"{each.name} is {found!r}, which is not {_KINDS[type(default)]}")
        for name in ("planner_instructions", "planner_prompts"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} is {getattr(self, name)!r}, which is no text")
        labels: Any = self.unsafe_labels
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise TypeError(f"unsafe_labels is {labels!r}, which is no list of labels")
        subjects: Any = self.planner_subjects
        if not isinstance(subjects, dict) or not all(
            isinstance(nouns, list) and all(isinstance(noun, str) for noun in nouns) for nouns in subjects.values()
        ):
            raise TypeError("planner_subjects must hold a list of nouns for each subject")

    @classmethod
    def load(cls, path: Path, sides: tuple[int, int] | None = None) -> "Conventions":
        """Reads the file; the defaults when there is none. Unknown keys are notes and stay out.

        Args:
            path: of the file.
            sides: height and width of the VAE's pictures that the UNet was made for.

        Raises:
            InvalidRepository: it is not such JSON.
        """
        try:
            raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
            known = {f.name for f in fields(cls)}
            values = {name: value for name, value in raw.items() if name in known}
            fold = Fold(**values.get("fold", {}))
            own = {"height": sides[0] * fold.rows, "width": sides[1] * fold.columns} if sides else {}
            if isinstance(most := values.get("max_side"), int) and most > 0:
                own = {name: min(side, most) for name, side in own.items()}
            return cls(**{**own, **values, "fold": fold})
        except (TypeError, ValueError, AttributeError) as error:
            raise InvalidRepository(f"{path} is not a bundle's conventions: {error}.") from error


@dataclass(frozen=True)
class Bundle:
    """A bundle's directory and conventions."""

    path: Path
    conventions: Conventions

    @property
    def name(self) -> str:
        """The directory's name."""
        return self.path.name

    @classmethod
    def open(cls, path: Path) -> "Bundle":
        """Checks that every part is there, in safetensors, of a class we serve, and that they fit together.

        Raises:
            InvalidRepository: what is wrong, and where.
        """
        path = path.resolve()
        try:
            check_parts(path)
            conventions = Conventions.load(path / "framecast.json", native_sides(path))
            check_fold(path, conventions.fold.channels)
            check_length(path, conventions.segment_latents)
        except (AttributeError, KeyError, IndexError, TypeError) as error:  # JSON, but of other types
            raise InvalidRepository(
                f"A config.json or an index in {path} has a value of the wrong type: {error}."
            ) from error
        return cls(path, conventions)

    @property
    def pipeline(self) -> str:
        """Class of the diffusers pipeline."""
        return str(json.loads((self.path / "model_index.json").read_text(encoding="utf-8"))["_class_name"])

    def part(self, name: str) -> Path:
        """Directory of a part."""
        return self.path / name
