"""How a scene is cut into segments and chunks, and where its noise comes from. Plain arithmetic."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from framecast.director.model import ServedModel
from framecast.planner.storyboard import Scene


@dataclass(frozen=True)
class SegmentPlan:
    """A segment of a scene.

    Attributes:
        index: within the scene.
        context: latents taken over from the segment before.
        frames: frames that are kept of it, the context's not counted.
    """

    index: int
    context: int
    frames: int


@dataclass(frozen=True)
class ChunkPlan:
    """A chunk of a segment: latents [start, stop) give its frames, of which the first `frames` are kept."""

    start: int
    stop: int
    frames: int


def scene_frames(scene: Scene, fps: int, model: ServedModel) -> int:
    """Frames of a scene, at least one; a whole segment when it gives no length."""
    return max(1, round(scene.seconds * fps)) if scene.seconds else model.segment_frames


def segments(frames: int, model: ServedModel) -> Iterator[SegmentPlan]:
    """Cuts a scene: the first segment is all new, each later one begins with the end of the one before."""
    index = 0
    while frames > 0:
        context = model.context_latents if index else 0
        kept = min(frames, (model.segment_latents - context) * model.latent_frames)
        yield SegmentPlan(index, context, kept)
        frames -= kept
        index += 1


def chunks(segment: SegmentPlan, model: ServedModel) -> Iterator[ChunkPlan]:
    """Cuts the new frames of a segment into chunks; latents that no kept frame needs are left out."""
    start, left = segment.context, segment.frames
    while left > 0:
        latents = min(model.chunk_latents, -(-left // model.latent_frames))
        kept = min(left, latents * model.latent_frames)
        yield ChunkPlan(start, start + latents, kept)
        start, left = start + latents, left - kept


def scene_seed(seed: int, index: int) -> int:
    """The seed of scene `index` of a video, in 0 … 2**63 - 1 as the video's own, the same on every machine.

    The first one has the video's own: a video of one scene is what the ensemble makes with that seed.
    """
    return _derived(f"{seed}/{index}") if index else seed


def segment_seed(seed: int, index: int) -> int:
    """The seed of segment `index` of a scene, as `scene_seed`; no other scene's."""
    return _derived(f"{seed}/segment {index}") if index else seed


def _derived(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 1
