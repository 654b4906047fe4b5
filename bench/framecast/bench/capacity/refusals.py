"""Videos that can be reckoned with and that a server would refuse."""

from framecast.bench.kind import Kind
from framecast.director.model import ServedModel
from framecast.gateway.config import Limits


def refusals(kind: Kind, served: ServedModel, limits: Limits | None = None) -> list[str]:
    """Why a server of this model refuses such videos, with these limits or its own; empty where it does not."""
    limits, found = limits or Limits(), []
    steps = kind.num_inference_steps or served.steps
    if served.step_counts and steps not in served.step_counts:
        found.append(f"{steps} steps, for which the export has no table")
    for name, value in (("width", kind.width or served.width), ("height", kind.height or served.height)):
        most = min(served.max_side, getattr(limits, name))
        if value > most or value % served.size_multiple:
            found.append(f"{name} {value}, which is not a multiple of {served.size_multiple} up to {most}")
    longest, whole = max(kind.scene_seconds, default=0.0), sum(kind.scene_seconds)
    if longest > limits.scene_seconds:
        found.append(f"a scene of {longest:g} s, where {limits.scene_seconds:g} are the most")
    if whole > limits.video_seconds:
        found.append(f"{whole:g} s in all, where {limits.video_seconds:g} are the most")
    scenes = limits.story_scenes(served.max_scenes) if kind.planned else limits.scenes
    if len(kind.scene_seconds) > scenes:
        found.append(f"{len(kind.scene_seconds)} scenes, where {scenes} are the most")
    if kind.fps > limits.fps:
        found.append(f"{kind.fps} frames a second, where {limits.fps} are the most")
    return found
