"""Kinds of video, cut into scenes, segments and chunks as the director cuts them."""

from collections.abc import Sequence
from dataclasses import dataclass

from framecast.bench.kind import Kind
from framecast.director.model import ServedModel
from framecast.director.timeline import chunks, segments


@dataclass(frozen=True)
class Film:
    """One kind of video, cut as the director cuts it.

    Attributes:
        scenes: scenes → segments → frames of each chunk. A scene of one picture is one segment, however long.
        steps: of denoising.
        planned: whether the planner writes the scenes.
        bucket: segments of the same bucket fit into one batch.
        scale: pixels ÷ the service model's.
        fps: frames per second.
        weight: how often it is asked for, relative to the others.
    """

    scenes: tuple[tuple[tuple[int, ...], ...], ...]
    steps: int
    planned: bool = False
    bucket: int = 0
    scale: float = 1.0
    fps: int = 24
    weight: float = 1.0

    @property
    def segments(self) -> int:
        """Of all scenes."""
        return sum(map(len, self.scenes))

    @property
    def chunk_frames(self) -> list[int]:
        """Frames of every chunk, in order."""
        return [frames for scene in self.scenes for segment in scene for frames in segment]

    @property
    def frames(self) -> int:
        """Of the video."""
        return sum(self.chunk_frames)


def cut(
    scene_seconds: Sequence[float],
    model: ServedModel,
    *,
    steps: int = 0,
    fps: int = 0,
    pixels: int = 0,
    reference_pixels: int = 0,
    planned: bool = False,
    weight: float = 1.0,
) -> Film:
    """A film of scenes of these lengths (0: one segment), as the director would cut it; 0 takes the model's default."""
    fps, pixels = fps or model.fps, pixels or model.width * model.height
    frames = [max(1, round(seconds * fps)) if seconds else model.segment_frames for seconds in scene_seconds]
    scenes = tuple(_segments(number, model) for number in frames)
    scale = pixels / reference_pixels if reference_pixels else 1.0
    return Film(scenes, steps or model.steps, planned, pixels, scale, fps, weight)


def _segments(frames: int, model: ServedModel) -> tuple[tuple[int, ...], ...]:
    found = tuple(tuple(chunk.frames for chunk in chunks(each, model)) for each in segments(frames, model))
    return (sum(found, ()),) if model.still else found  # denoised once


def film_of(kind: Kind, model: ServedModel, reference_pixels: int = 0, weight: float = 1.0) -> Film:
    """A film of this kind; no scene is one of one segment."""
    return cut(
        kind.scene_seconds or (0.0,),
        model,
        steps=kind.num_inference_steps,
        fps=kind.fps,
        pixels=(kind.width or model.width) * (kind.height or model.height),
        reference_pixels=reference_pixels,
        planned=kind.planned,
        weight=weight,
    )
