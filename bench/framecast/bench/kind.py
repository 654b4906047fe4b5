"""Kinds of video: what matters of one to whoever plans for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """One kind. 0 is the served model's own.

    Attributes:
        scene_seconds: lengths of its scenes; 0: one segment.
        num_inference_steps: of denoising.
        width, height: pixels.
        fps: frames per second.
        planned: the planner writes the scenes; their lengths are not known then, unless somebody says what to expect.
    """

    scene_seconds: tuple[float, ...]
    num_inference_steps: int = 0
    width: int = 0
    height: int = 0
    fps: int = 0
    planned: bool = False

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Kind":
        """From `dataclasses.asdict`. Raises KeyError or TypeError when `found` is not one."""
        return cls(**{**found, "scene_seconds": tuple(map(float, found["scene_seconds"]))})
