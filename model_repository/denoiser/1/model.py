"""denoiser: text states in, latents out, many segments in one step-level continuous batch."""

import os
from dataclasses import replace

import numpy as np

from framecast.denoiser.batcher import BatcherLimits, StepBatcher
from framecast.denoiser.job import Job
from framecast.denoiser.request import SegmentRules
from framecast.denoiser.samplers import SamplerTable
from framecast.errors import FramecastError
from framecast.stages import contracts as c
from framecast.stages.backend import Reply, ServedFiles, number, read
from framecast.stages.metrics import BatcherMetrics


class TritonPythonModel:
    """Hands requests to the step batcher and answers each when its last step is done."""

    def initialize(self, args):
        files = ServedFiles(args)
        self._rules = SegmentRules.load(files.path("settings.json"), SamplerTable.load(files.path("samplers.json")))
        self._metrics = BatcherMetrics()
        limits = BatcherLimits.parse(os.environ.get("FRAMECAST_BATCHER", ""))
        limits = replace(limits, max_batch=min(limits.max_batch, self._rules.max_batch))
        if self._rules.usual_volume:
            limits = replace(limits, max_volume=min(limits.max_volume, limits.max_batch * self._rules.usual_volume))
        self._batcher = StepBatcher(files.manifest.engine(files.root, "unet"), limits, self._metrics.observe)
        self._batcher.start()

    def execute(self, requests):
        for request in requests:
            reply = Reply(request)
            try:
                first = number(request, c.FIRST_FRAME) == 0
                self._batcher.submit(Job(self._segment(request), _finished(reply), reply.fail, reply.cancelled, first))
            except FramecastError as error:
                reply.fail(error)

    def finalize(self):
        self._batcher.close()

    def _segment(self, request):
        return self._rules.segment(
            embedding=read(request, c.EMBEDDING),
            negative_embedding=read(request, c.NEGATIVE_EMBEDDING),
            seed=number(request, c.SEED),
            steps=number(request, c.STEPS),
            guidance=number(request, c.GUIDANCE),
            size=tuple(read(request, c.SIZE).tolist()),
            latent_count=number(request, c.LATENT_COUNT),
            context=read(request, c.CONTEXT),
        )


def _finished(reply):
    def finish(job):
        reply.finish({c.LATENTS: np.ascontiguousarray(job.latents), c.ENGINE_SECONDS: job.engine_seconds})

    return finish
