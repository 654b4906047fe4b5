"""The whole denoising trajectory through the exported graphs against the diffusers pipeline's own `__call__`."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from framecast.denoiser.samplers import initial_noise, step_noise
from framecast.engines.engine import Engine
from framecast.export.denoising import Denoising
from framecast.export.families import Family, family_of
from framecast.export.parity import ParityError
from framecast.export.precision import FP32, Precision
from framecast.export.samplers import given_noise

SEED = 0

_FARTHEST = 0.1  # of the largest value: more is not rounding, however many steps there are


@dataclass(frozen=True)
class _Asked:
    """What both ways of denoising are asked for."""

    prompt: str
    negative_prompt: str
    steps: int
    guidance: float
    rescale: float


def check_trajectory(
    pipeline: Any,
    unet: Engine,
    denoising: Denoising,
    *,
    rescale: float = 0.0,
    precision: Precision = FP32,
    prompt: str = "a white kitten plays in the courtyard",
    negative_prompt: str = "",
) -> dict[str, float]:
    """Denoises one segment both ways from the same noise.

    Args:
        pipeline: of a family in `framecast.export.families`.
        unet: the exported graph.
        denoising: how it is driven.
        rescale: of the guidance.
        precision: of the graphs.
        prompt, negative_prompt: of the segment.

    Returns:
        ``max_abs_error`` of the final latents relative to their largest value beyond 1, and that ``max_abs_value``.

    Raises:
        ParityError: beyond 1e-3, in lower precisions beyond a graph's tolerance a step and `_FARTHEST`.
    """
    steps, shape = denoising.steps, denoising.shape
    made = denoising.latents(unet, prompt, SEED, negative_prompt)
    family = family_of(pipeline.unet)
    asked = _Asked(prompt, negative_prompt, steps, denoising.guidance, rescale)
    walk = _pipeline if _can_be_called(pipeline, rescale) else _loop
    with torch.no_grad(), given_noise(pipeline.scheduler, _noises(family, steps, shape)):
        expected = walk(pipeline, family, shape, asked).numpy()
    actual = made[: len(expected)]
    largest = float(np.abs(expected).max())
    error = float(np.abs(actual - expected).max()) / max(1.0, largest)
    # Rounding adds up over the steps; in single precision it stays far below the limit of one graph.
    allowed = precision.tolerance if precision is FP32 else min(precision.tolerance * steps, _FARTHEST)
    if not error <= allowed:
        raise ParityError(f"The trajectory of {steps} steps ends {error:.2e} away from diffusers' (at most {allowed}).")
    return {"max_abs_error": error, "max_abs_value": largest, "steps": steps}


def _noises(family: Family, steps: int, shape: tuple[int, ...]) -> Iterator[Any]:
    """What the batcher's steps draw, laid out for the pipeline's scheduler; it skips steps that draw none."""
    for step in range(steps):
        yield family.to_scheduler(torch.from_numpy(step_noise(SEED, step, shape))).numpy()


def _can_be_called(pipeline: Any, rescale: float) -> bool:
    """Whether the pipeline's own call does it all: it needs a diffusion scheduler, and few rescale guidance."""
    known = inspect.signature(type(pipeline).__call__).parameters
    return hasattr(pipeline.scheduler, "scale_model_input") and (not rescale or "guidance_rescale" in known)


def _pipeline(
    pipeline: Any,
    family: Family,
    shape: tuple[int, int, int, int],
    asked: _Asked,
) -> Tensor:
    """Final latents [F, C, h, w] of the pipeline's own call."""
    factor = pipeline.vae_scale_factor
    noise = torch.from_numpy(initial_noise(SEED, shape, 1.0))
    out = pipeline(
        asked.prompt,
        negative_prompt=asked.negative_prompt,
        height=shape[2] * factor,
        width=shape[3] * factor,
        num_inference_steps=asked.steps,
        guidance_scale=asked.guidance,
        latents=family.to_pipeline(noise),  # the pipeline scales it itself
        output_type="latent",
        **family.arguments(shape[0]),
        **({"guidance_rescale": asked.rescale} if asked.rescale else {}),
    )
    return family.from_pipeline(out)


def _loop(
    pipeline: Any,
    family: Family,
    shape: tuple[int, int, int, int],
    asked: _Asked,
) -> Tensor:
    """The same with diffusers' scheduler and UNet alone, for what these pipelines cannot be asked for."""
    conditional, unconditional = pipeline.encode_prompt(asked.prompt, "cpu", 1, True, asked.negative_prompt)
    scheduler = pipeline.scheduler
    scheduler.set_timesteps(asked.steps)
    scaled = getattr(scheduler, "scale_model_input", lambda sample, _: sample)
    noise = torch.from_numpy(initial_noise(SEED, shape, 1.0))[: 1 if family.still else None]
    x = family.to_scheduler(noise) * getattr(scheduler, "init_noise_sigma", 1.0)
    for timestep in scheduler.timesteps:
        clip = _frames(scaled(x, timestep)).transpose(0, 1)[None]  # [1, C, F, h, w]
        without, told = (
            family.call(pipeline.unet, clip, timestep[None], states)[0].transpose(0, 1)
            for states in (unconditional, conditional)
        )
        out = without + max(1.0, asked.guidance) * (told - without)
        if asked.rescale:
            out = asked.rescale * out * told.std() / out.std() + (1 - asked.rescale) * out
        x = scheduler.step(family.to_scheduler(out), timestep, x, return_dict=False)[0]
    return _frames(x)


def _frames(latents: Tensor) -> Tensor:
    """The scheduler's latents as [F, C, h, w]."""
    return latents[0].transpose(0, 1) if latents.ndim == 5 else latents
