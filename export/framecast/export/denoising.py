"""Denoising with exported graphs as they are driven when served: what they are compared, calibrated and judged on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framecast.denoiser.batcher import StepBatcher
from framecast.denoiser.conditioning import TextEncoder
from framecast.denoiser.job import Job, Segment
from framecast.denoiser.samplers import SamplerTable
from framecast.engines.engine import Engine
from framecast.errors import FramecastError
from framecast.export.parity import ParityError


@dataclass(frozen=True)
class Denoising:
    """Whole trajectories of single segments.

    Attributes:
        text: the exported text encoder.
        table: the bundle's sampler table.
        steps, guidance: of a trajectory.
        shape: (F, C, h, w) of the latents.
    """

    text: TextEncoder
    table: SamplerTable
    steps: int
    guidance: float
    shape: tuple[int, int, int, int]

    def latents(self, unet: Engine, prompt: str, seed: int, negative_prompt: str = "") -> NDArray[np.float32]:
        """The final latents [F, C, h, w] of a prompt. Raises ParityError where `unet` cannot make them."""
        states = self.text.encode([prompt, negative_prompt])
        context = np.zeros((0, *self.shape[1:]), np.float32)
        schedule = self.table.schedules[self.steps]
        done: list[Job] = []
        failed: list[FramecastError] = []
        batcher = StepBatcher(unet)
        segment = Segment(self.shape, states[0], states[1], seed, schedule, self.guidance, context)
        batcher.submit(Job(segment, done.append, failed.append, lambda: False))
        while not (done or failed):
            batcher.step()
        if failed:
            raise ParityError(f"The exported graphs could not denoise a segment: {failed[0]}")
        return done[0].latents
