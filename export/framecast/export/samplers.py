"""Derives sampler tables by watching a diffusers scheduler.

A served sampler is linear: ``next = a · x + b · out + c · noise + memory``, where the memory is ``p · x + q · out`` of
the step before (DPM++ 2M looks back one step; LCM draws noise; DDIM and Euler do neither). The scheduler is walked
through its whole schedule with random numbers for everything it is given. A regression then reads off each step's
coefficients, and what is left over proves that nothing else is in it. A scheduler that is not linear, that clips, or
that remembers more than one step is refused by name.
"""

import inspect
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from framecast.denoiser.samplers import SamplerTable, Schedule
from framecast.errors import InvalidRepository

_LANES = 32
_TOLERANCE = 1e-5
_LARGE = 1000.0

Lanes = NDArray[np.float64]


def sampler_table(scheduler: Any, step_counts: Iterable[int]) -> SamplerTable:
    """The table of a diffusers scheduler instance for each step count that it has a schedule for.

    Raises:
        InvalidRepository: the scheduler is not such a sampler, or has no schedule at all.
    """
    name = type(scheduler).__name__
    found, refusal = {}, ""
    for steps in step_counts:
        try:
            scheduler.set_timesteps(steps)
        except (ValueError, AssertionError, IndexError, TypeError) as error:  # LCM of 25 original steps makes no more
            refusal = " ".join(str(error).split())[:200] or type(error).__name__
            continue
        try:
            found[steps] = _schedule(scheduler, name, steps)
        except InvalidRepository:
            raise
        except Exception as error:  # a scheduler meets what its config does not allow in the middle of a step
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise InvalidRepository(f"The scheduler {name} cannot be walked as it is configured: {reason}") from error
    if not found:
        raise InvalidRepository(f"The scheduler {name} has no schedule of any length: {refusal}")
    return SamplerTable(name, found)


def _schedule(scheduler: Any, name: str, steps: int) -> Schedule:
    scheduler.set_timesteps(steps)
    timesteps = scheduler.timesteps.clone()
    if len(timesteps) != steps:
        raise InvalidRepository(f"{name} is no sampler we serve: {len(timesteps)} model calls for {steps} steps.")
    scales = [_scale(scheduler, timestep) for timestep in timesteps]
    scheduler.set_timesteps(steps)  # forgets whatever it remembers between steps
    generator = np.random.default_rng(steps)
    rows: list[tuple[float, float, float, float, float]] = []
    before: tuple[Lanes, Lanes] | None = None
    # Every other lane is large: what clips, or bends otherwise, does so there at the latest.
    sizes = np.where(np.arange(_LANES) % 2, _LARGE, 1.0)
    for index, timestep in enumerate(timesteps):
        x, out, noise = generator.standard_normal((3, _LANES)) * sizes
        actual = _step(scheduler, timestep, x, out, noise)
        if not np.isfinite(actual).all():
            raise InvalidRepository(
                f"The scheduler {name} divides by nothing at step {index} of {steps}: such a prediction_type cannot "
                "begin where there is no signal; try timestep_spacing leading, or no rescale_betas_zero_snr."
            )
        weights, left = _explain(actual / sizes, [term / sizes for term in (x, out, noise, *(before or ()))])
        if left > _TOLERANCE:
            remedy = "choose another scheduler"
            if getattr(scheduler.config, "clip_sample", False):
                remedy = "it clips its samples: write clip_sample false in scheduler/scheduler_config.json"
            raise InvalidRepository(
                f"The scheduler {name} is not linear in latents, model output, noise and one step back at step {index} "
                f"of {steps}; {remedy}."
            )
        rows.append((*weights, *(0.0,) * (5 - len(weights))))  # type: ignore[arg-type]
        before = (x, out)
    return Schedule(
        float(getattr(scheduler, "init_noise_sigma", 1.0)),
        tuple(float(t) for t in timesteps),
        tuple((scale, a, b) for scale, (a, b, *_) in zip(scales, rows, strict=True)),
        _unless_zero([c for _, _, c, _, _ in rows]),
        # What a step adds of the step before is what that one has to keep.
        _unless_zero([(p, q) for _, _, _, p, q in [*rows[1:], (0.0,) * 5]]),
    )


def _explain(actual: Lanes, terms: list[Lanes]) -> tuple[list[float], float]:
    """The weights of `terms` that make up `actual`, and how far off they leave it, relative to its size."""
    matrix = np.stack(terms, axis=1)
    weights, *_ = np.linalg.lstsq(matrix, actual, rcond=None)
    # Schedulers compute in single precision; what that leaves of an absent term is rounding, not a coefficient.
    weights[np.abs(weights) < 1e-6 * np.abs(weights).max(initial=1e-12)] = 0.0
    left = float(np.abs(matrix @ weights - actual).max() / (np.abs(weights).sum() + 1e-6))
    return [float(weight) for weight in weights], left


def _unless_zero(rows: list[Any]) -> tuple[Any, ...]:
    return tuple(rows) if np.any(rows) else ()


def _scale(scheduler: Any, timestep: Any) -> float:
    """What the scheduler multiplies the latents by before the UNet."""
    if not hasattr(scheduler, "scale_model_input"):
        return 1.0
    scaled: torch.Tensor = scheduler.scale_model_input(torch.ones(1, 1, 1, _LANES), timestep)
    if hasattr(scheduler, "_step_index"):
        scheduler._step_index = None
    return float(scaled.double().mean())


def _step(scheduler: Any, timestep: Any, x: Lanes, out: Lanes, noise: Lanes) -> Lanes:
    sample, output = (torch.from_numpy(lanes).float().view(1, 1, 1, -1) for lanes in (x, out))
    if hasattr(scheduler, "scale_model_input"):
        scheduler.scale_model_input(sample, timestep)  # Euler insists
    with given_noise(scheduler, iter([noise])):
        result = scheduler.step(output, timestep, sample, return_dict=False)[0]
    return np.asarray(result.double().flatten().numpy())


@contextmanager
def given_noise(scheduler: Any, noises: Iterator[NDArray[Any]]) -> Iterator[None]:
    """Makes `scheduler` draw from `noises` instead of its own random numbers, which are another library's secret."""
    module = sys.modules[inspect.getmodule(type(scheduler)).__name__]  # type: ignore[union-attr]
    original = getattr(module, "randn_tensor", None)
    if original is None:
        yield
        return

    def drawn(shape: Any, *_: Any, dtype: Any = None, **__: Any) -> torch.Tensor:
        return torch.from_numpy(np.asarray(next(noises))).to(dtype or torch.float32).reshape(tuple(shape))

    module.randn_tensor = drawn  # type: ignore[attr-defined]
    try:
        yield
    finally:
        module.randn_tensor = original  # type: ignore[attr-defined]
