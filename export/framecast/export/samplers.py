"""Derives sampler tables by probing a diffusers scheduler.

A step of a linear sampler is ``next = a · x + b · out``. Stepping the scheduler itself with basis tensors reads a
and b off; walking its whole schedule with random outputs proves that nothing else is in it. A scheduler that is not
linear, keeps a history, or draws noise is refused by name.
"""

from collections.abc import Iterable
from typing import Any

import torch

from framecast.denoiser.samplers import SamplerTable, Schedule
from framecast.errors import InvalidRepository

_SHAPE = (1, 1, 4)
_TOLERANCE = 1e-5


def sampler_table(scheduler: Any, step_counts: Iterable[int]) -> SamplerTable:
    """The table of a diffusers scheduler instance for each step count.

    Raises:
        InvalidRepository: the scheduler is not a linear one-step sampler.
    """
    name = type(scheduler).__name__
    return SamplerTable(name, {steps: _schedule(scheduler, name, steps) for steps in step_counts})


def _schedule(scheduler: Any, name: str, steps: int) -> Schedule:
    scheduler.set_timesteps(steps)
    timesteps = scheduler.timesteps.clone()
    if len(timesteps) != steps:
        raise InvalidRepository(f"{name} is no one-step sampler: {len(timesteps)} model calls for {steps} steps.")
    scale = float(getattr(scheduler, "init_noise_sigma", 1.0))
    rows = tuple(_row(scheduler, steps, index) for index in range(steps))
    schedule = Schedule(scale, tuple(float(t) for t in timesteps), rows)
    _check(scheduler, name, schedule)
    return schedule


def _row(scheduler: Any, steps: int, index: int) -> tuple[float, float, float]:
    one, none = torch.ones(_SHAPE), torch.zeros(_SHAPE)
    a = float(_next(scheduler, steps, index, one, none).double().mean())
    b = float(_next(scheduler, steps, index, none, one).double().mean())
    return _scale(scheduler, steps, index), a, b


def _check(scheduler: Any, name: str, schedule: Schedule) -> None:
    """Walks the whole schedule with random outputs, the scheduler's memory and noise at work, beside the table."""
    generator = torch.Generator().manual_seed(schedule.steps)
    scheduler.set_timesteps(schedule.steps)
    x = torch.randn(_SHAPE, generator=generator) * schedule.initial_scale
    for index, (timestep, (_, a, b)) in enumerate(zip(scheduler.timesteps, schedule.coefficients, strict=True)):
        out = torch.randn(_SHAPE, generator=generator)
        if hasattr(scheduler, "scale_model_input"):
            scheduler.scale_model_input(x, timestep)
        actual = scheduler.step(out, timestep, x, return_dict=False)[0]
        if not torch.allclose(actual, a * x + b * out, atol=_TOLERANCE * (1 + abs(a) + abs(b)), rtol=_TOLERANCE):
            raise InvalidRepository(f"The scheduler {name} is not linear in latents and model output at step {index}.")
        x = actual


def _scale(scheduler: Any, steps: int, index: int) -> float:
    """What the scheduler multiplies the latents by before the UNet."""
    if not hasattr(scheduler, "scale_model_input"):
        return 1.0
    scheduler.set_timesteps(steps)
    scaled: torch.Tensor = scheduler.scale_model_input(torch.ones(_SHAPE), scheduler.timesteps[index])
    return float(scaled.double().mean())


def _next(scheduler: Any, steps: int, index: int, x: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    """One step from a clean state: set_timesteps forgets whatever a scheduler remembers between steps."""
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(index)
    timestep = scheduler.timesteps[index]
    if hasattr(scheduler, "scale_model_input"):
        scheduler.scale_model_input(x, timestep)
    result: torch.Tensor = scheduler.step(out, timestep, x, return_dict=False)[0]
    return result
