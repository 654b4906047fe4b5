"""What graphs are calibrated on: prompts of the bundle's planner, and what the UNet sees while it denoises them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from framecast.director.camera import prompt_for
from framecast.engines.engine import Array, Engine, TensorInfo
from framecast.errors import InvalidRequest, PlanningFailed
from framecast.export.denoising import Denoising
from framecast.planner.planner import ScenePlanner

MOST_STEPS = 24  # inputs of the UNet that are kept: enough for ranges, and each is a run of a graph with more outputs


@dataclass(frozen=True)
class Samples:
    """Real inputs.

    Attributes:
        steps: of the UNet's graph, from whole trajectories.
        latents: of the VAE's graph, finished ones, [N, C, h, w] each.
    """

    steps: Sequence[Mapping[str, Array]]
    latents: Sequence[Mapping[str, Array]]


@dataclass
class Recorder:
    """An engine that keeps what it is given."""

    engine: Engine
    seen: list[dict[str, Array]] = field(default_factory=list)

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """See `Engine.inputs`."""
        return self.engine.inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """See `Engine.outputs`."""
        return self.engine.outputs

    def run(self, inputs: Mapping[str, Array], outputs: tuple[str, ...] | None = None) -> dict[str, Array]:
        """See `Engine.run`."""
        self.seen.append({name: value.copy() for name, value in inputs.items()})
        return self.engine.run(inputs, outputs)


def prompts_of(planner: ScenePlanner, stories: Iterable[str], camera: str) -> list[str]:
    """What is encoded of every story's first scene where `camera` is heard so (`framecast.director.camera.WAYS`).

    The story itself where the planner writes none.
    """
    found = []
    for story in stories:
        try:
            found.append(prompt_for(next(planner.plan(story, max_scenes=1)).scene, camera))
        except (InvalidRequest, PlanningFailed, StopIteration):
            found.append(story)
    return found


def record(
    denoising: Denoising, unet: Engine, prompts: Sequence[str], chunk: int, told: Callable[[str], None]
) -> Samples:
    """Denoises `prompts` and keeps what the graphs were given, evenly thinned to `MOST_STEPS` steps.

    Args:
        denoising: how.
        unet: the graph that is to be quantised.
        prompts: see `prompts_of`.
        chunk: latents decoded together.
        told: takes what is going on.
    """
    recorder, latents = Recorder(unet), list[NDArray[np.float32]]()
    for number, prompt in enumerate(prompts):
        told(f"calibrating: prompt {number + 1} of {len(prompts)}")
        latents.append(denoising.latents(recorder, prompt, seed=number))
    # A stride that shares no factor with the number of steps meets every step, over all the prompts.
    stride = max(1, len(recorder.seen) // MOST_STEPS)
    while stride > 1 and np.gcd(stride, denoising.steps) > 1:
        stride += 1
    decoded = [{"latents": clip[start : start + chunk]} for clip in latents for start in range(0, len(clip), chunk)]
    return Samples(recorder.seen[::stride], decoded)
