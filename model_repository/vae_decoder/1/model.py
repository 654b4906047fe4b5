"""vae_decoder: latents in, YUV 4:2:0 planes out."""

import time

import numpy as np

from framecast.errors import CorruptOutput
from framecast.stages import contracts as c
from framecast.stages.backend import ServedFiles, answer, read


class TritonPythonModel:
    def initialize(self, args):
        files = ServedFiles(args)
        self._engine = files.manifest.engine(files.root, "vae_decoder")

    def execute(self, requests):
        return answer(c.VAE_DECODER, requests, self._decode)

    def _decode(self, request):
        latents = read(request, c.LATENTS)
        if not np.isfinite(latents).all():  # uint8 planes would hide it as black pictures
            raise CorruptOutput("The latents hold NaN or Inf.")
        started = time.perf_counter()
        planes = self._engine.run({"latents": latents}, ("y", "u", "v"))
        seconds = time.perf_counter() - started
        return {c.Y: planes["y"], c.U: planes["u"], c.V: planes["v"], c.ENGINE_SECONDS: seconds}
