"""The whole denoising trajectory through the exported graphs against the diffusers pipeline's own `__call__`."""

from typing import Any

import numpy as np
import torch

from framecast.denoiser.batcher import StepBatcher
from framecast.denoiser.conditioning import TextEncoder
from framecast.denoiser.job import Job, Segment
from framecast.denoiser.samplers import SamplerTable
from framecast.engines.engine import Engine
from framecast.export.parity import TOLERANCE, ParityError


def check_trajectory(
    pipeline: Any,
    text_encoder: TextEncoder,
    unet: Engine,
    table: SamplerTable,
    *,
    steps: int,
    guidance: float,
    shape: tuple[int, int, int, int],
    prompt: str = "a white kitten plays in the courtyard",
    negative_prompt: str = "",
) -> dict[str, float]:
    """Denoises one segment both ways from the same noise.

    Args:
        pipeline: a `diffusers.TextToVideoSDPipeline`.
        text_encoder, unet: the exported graphs, driven as they are when served.
        table: the bundle's sampler table.
        steps, guidance: of the trajectory.
        shape: (F, C, h, w) of the latents.

    Returns:
        ``max_abs_error`` of the final latents and their ``max_abs_value``.

    Raises:
        ParityError: beyond 1e-3.
    """
    states = text_encoder.encode([prompt, negative_prompt])
    done: list[Job] = []
    failed: list[Exception] = []
    no_context = np.zeros((0, *shape[1:]), np.float32)
    segment = Segment(shape, states[0], states[1], 0, table.schedules[steps], guidance, no_context)
    job = Job(segment, done.append, failed.append, lambda: False)
    noise = torch.from_numpy(job.latents.copy()).transpose(0, 1)[None]  # [1, C, F, h, w]
    batcher = StepBatcher(unet)
    batcher.submit(job)
    while not (done or failed):
        batcher.step()
    if failed:
        raise ParityError(f"The exported graphs could not denoise a segment: {failed[0]}")

    factor = pipeline.vae_scale_factor
    with torch.no_grad():
        reference = pipeline(
            prompt,
            negative_prompt=negative_prompt,
            num_frames=shape[0],
            height=shape[2] * factor,
            width=shape[3] * factor,
            num_inference_steps=steps,
            guidance_scale=guidance,
            latents=noise / segment.schedule.initial_scale,  # the pipeline scales it itself
            output_type="latent",
        ).frames
    expected = reference[0].transpose(0, 1).numpy()
    error = float(np.abs(job.latents - expected).max())
    if not error <= TOLERANCE:
        raise ParityError(
            f"The trajectory of {steps} steps ends {error:.2e} away from diffusers' (at most {TOLERANCE})."
        )
    return {"max_abs_error": error, "max_abs_value": float(np.abs(expected).max()), "steps": steps}
