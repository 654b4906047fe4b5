"""Plain diffusers: the bundle's own pipeline in PyTorch, as its model card would run it."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from framecast.bench.peers.contest import Lap
from framecast.bench.peers.served import Asked
from framecast.denoiser.samplers import initial_noise
from framecast.export.bundle import Bundle
from framecast.export.families import family_of
from framecast.export.graphs.decode_yuv import DecodeYuv
from framecast.export.models import load_models
from framecast.media.encoder import encode_chunk
from framecast.media.planes import Planes


class PlainDiffusers:
    """The pipeline's own call from the same noise, its VAE in as many passes as the server's, and the same encoder.

    Args:
        bundle: its directory.
        asked: the clip; of its prompts the first.
        compiled: `torch.compile` of the UNet and the decoder, whose first clip compiles.
    """

    def __init__(self, bundle: Path, asked: Asked, *, compiled: bool = False) -> None:
        opened = Bundle.open(bundle)
        self._asked = asked
        self._pipeline: Any = load_models(opened)[0]
        self._family = family_of(self._pipeline.unet)
        self._decoder: Any = DecodeYuv(self._pipeline.vae, opened.conventions.fold).eval()
        self._channels = int(self._pipeline.unet.config.in_channels)
        self._factor = int(self._pipeline.vae_scale_factor)
        self._side = self._factor * opened.conventions.fold.rows, self._factor * opened.conventions.fold.columns
        if compiled:
            self._pipeline.unet.compile()
            self._decoder.compile()

    def lap(self, seed: int) -> Lap:
        """One clip, from the prompt to the encoded movie."""
        started = time.perf_counter()
        self._encoded(seed, "h264")
        seconds = time.perf_counter() - started
        return Lap((), (seconds,), seconds)

    def pictures(self, seed: int) -> Sequence[bytes]:
        """Every frame of a clip, PNG."""
        return self._encoded(seed, "png")

    @torch.inference_mode()
    def _encoded(self, seed: int, codec: str) -> list[bytes]:
        served = self._asked.served
        height, width = served.height // self._side[0], served.width // self._side[1]
        shape = (served.segment_latents, self._channels, height, width)
        out = self._pipeline(
            self._asked.prompts[0],
            negative_prompt="",
            height=height * self._factor,
            width=width * self._factor,
            num_inference_steps=self._asked.steps,
            guidance_scale=served.guidance_scale,
            latents=self._family.to_pipeline(torch.from_numpy(initial_noise(seed, shape, 1.0))),
            output_type="latent",
            **self._family.arguments(served.segment_latents),
        )
        latents: Any = self._family.from_pipeline(out)
        parts: list[bytes] = []
        for index, some in enumerate(latents.split(served.chunk_latents)):
            planes = Planes(*(plane.numpy() for plane in self._decoder(some)[:3]))
            chunk = encode_chunk(
                planes,
                codec=codec,
                fps=served.fps,
                first_frame=index * served.chunk_latents * served.latent_frames,
                sequence=index + 1,
                include_header=index == 0,
            )
            parts += chunk.parts
        return parts
