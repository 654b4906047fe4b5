"""vae_decoder: latents in, YUV 4:2:0 planes out."""

import json
import time

import numpy as np

from framecast.errors import CorruptOutput, InvalidRequest
from framecast.stages import contracts as c
from framecast.stages.backend import ServedFiles, answer, read
from framecast.stages.bls import stage_engine


class TritonPythonModel:
    """Decodes one request at a time, within the exported limits."""

    def initialize(self, args):
        files = ServedFiles(args)
        self._engine = stage_engine(files, args, "vae_decoder")
        self._limits = json.loads(files.path("settings.json").read_text(encoding="utf-8"))

    def execute(self, requests):
        return answer(c.VAE_DECODER, requests, self._decode)

    def _decode(self, request):
        latents = read(request, c.LATENTS)
        self._check(latents.shape)
        if not np.isfinite(latents).all():  # uint8 planes would hide it as black pictures
            raise CorruptOutput("The latents hold NaN or Inf.")
        started = time.perf_counter()
        planes = self._engine.run({"latents": latents}, ("y", "u", "v"))
        seconds = time.perf_counter() - started
        return {c.Y: planes["y"], c.U: planes["u"], c.V: planes["v"], c.ENGINE_SECONDS: seconds}

    def _check(self, shape):
        count, channels, side = (self._limits[name] for name in ("max_latents", "channels", "max_side"))
        if not (1 <= shape[0] <= count and shape[1] == channels and 1 <= min(shape[2:]) <= max(shape[2:]) <= side):
            raise InvalidRequest(
                c.LATENTS.name,
                f"has shape {list(shape)}; it must be [1 to {count}, {channels}, 1 to {side}, 1 to {side}]",
            )
