"""text_encoder: a prompt and a negative prompt in, their text states out."""

import time

from framecast.denoiser.conditioning import TextEncoder
from framecast.engines.engine import EngineOptions
from framecast.stages import contracts as c
from framecast.stages.backend import ServedFiles, answer, text
from framecast.stages.bls import stage_engine


class TritonPythonModel:
    """Encodes both prompts of a request in one run."""

    def initialize(self, args):
        files = ServedFiles(args)
        engine = stage_engine(files, args, "text_encoder", EngineOptions(threads=1))
        self._encoder = TextEncoder(engine, files.path("tokenizer.json"), files.path("settings.json"))

    def execute(self, requests):
        return answer(c.TEXT_ENCODER, requests, self._encode)

    def _encode(self, request):
        started = time.perf_counter()
        states = self._encoder.encode([text(request, c.PROMPT), text(request, c.NEGATIVE_PROMPT)])
        return {
            c.EMBEDDING: states[0],
            c.NEGATIVE_EMBEDDING: states[1],
            c.ENGINE_SECONDS: time.perf_counter() - started,
        }
