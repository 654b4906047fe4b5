"""Turns what a caller asks of the denoiser into a `Segment`, or refuses it by name."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from framecast.denoiser.job import Floats, Segment
from framecast.denoiser.samplers import SamplerTable
from framecast.errors import InvalidRepository, InvalidRequest


@dataclass(frozen=True)
class SegmentRules:
    """What the exported UNet takes.

    Attributes:
        samplers: the schedules.
        channels: of the latents.
        width: of the text states.
        max_tokens: longest text states.
        downscale: pixels of height and width that one latent stands for.
        size_multiple: height and width must be multiples of this, pixels.
        max_latents: longest segment.
        max_side: largest height or width, pixels.
        max_batch: segments in one step.
        usual_volume: latents of a whole segment of the default size, frames × height × width; 0: not known.
    """

    samplers: SamplerTable
    channels: int
    width: int
    max_tokens: int
    downscale: int
    size_multiple: int
    max_latents: int
    max_side: int
    max_batch: int = 8
    usual_volume: int = 0

    @classmethod
    def load(cls, path: Path, samplers: SamplerTable) -> "SegmentRules":
        """Reads the exporter's JSON. Raises InvalidRepository."""
        try:
            return cls(samplers=samplers, **json.loads(path.read_text(encoding="utf-8")))
        except (TypeError, ValueError) as error:
            raise InvalidRepository(f"{path} does not hold denoiser settings; export the bundle again.") from error

    def segment(
        self,
        *,
        embedding: Floats,
        negative_embedding: Floats,
        seed: int,
        steps: int,
        guidance: float,
        size: tuple[int, int],
        latent_count: int,
        context: Floats | None,
    ) -> Segment:
        """A checked segment; `size` is (height, width) in pixels, `context` [k, C, h, w] or None.

        Raises:
            InvalidRequest: names the tensor that is wrong.
        """
        shape = self._shape(size, latent_count)
        schedule = self.samplers.schedules.get(steps)
        if schedule is None:
            known = self.samplers.schedules
            raise InvalidRequest("STEPS", f"is {steps}; this repository has tables for {min(known)} to {max(known)}")
        if not math.isfinite(guidance) or not 0 <= guidance <= 100:
            raise InvalidRequest("GUIDANCE", f"is {guidance}; it must be between 0 and 100")
        if seed < 0:
            raise InvalidRequest("SEED", f"is {seed}; it must not be negative")
        for name, states in (("EMBEDDING", embedding), ("NEGATIVE_EMBEDDING", negative_embedding)):
            tokens = states.shape[0] if states.shape == embedding.shape == (len(states), self.width) else 0
            if not 1 <= tokens <= self.max_tokens:
                raise InvalidRequest(
                    name, f"has shape {list(states.shape)}; it must be [1 to {self.max_tokens}, {self.width}]"
                )
            if not np.isfinite(states).all():
                raise InvalidRequest(name, "holds NaN or Inf")
        known_latents = np.zeros((0, *shape[1:]), np.float32) if context is None else context
        if known_latents.shape[1:] != shape[1:] or len(known_latents) >= shape[0]:
            raise InvalidRequest(
                "CONTEXT", f"has shape {list(known_latents.shape)}; it must be [0 to {shape[0] - 1}, {shape[1:]}]"
            )
        if not np.isfinite(known_latents).all():
            raise InvalidRequest("CONTEXT", "holds NaN or Inf")
        return Segment(shape, embedding, negative_embedding, seed, schedule, guidance, known_latents)

    def _shape(self, size: tuple[int, int], latent_count: int) -> tuple[int, int, int, int]:
        if not 1 <= latent_count <= self.max_latents:
            raise InvalidRequest("LATENT_COUNT", f"is {latent_count}; it must be 1 to {self.max_latents}")
        for side in size:
            if side % self.size_multiple or not self.size_multiple <= side <= self.max_side:
                raise InvalidRequest(
                    "SIZE", f"is {list(size)}; both must be multiples of {self.size_multiple} up to {self.max_side}"
                )
        return latent_count, self.channels, size[0] // self.downscale, size[1] // self.downscale
