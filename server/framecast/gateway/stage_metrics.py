"""Prometheus metrics of the stage calls, as the gateway sees them."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Histogram

from framecast.stages.observed import Attributes

CALLS = ("plan", "text", "denoise", "decode")
AFTER_DECODING = ("review", "encode", "mux")  # within the call that decodes
STAGES = (*CALLS, *AFTER_DECODING)
_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_SEGMENTS = (1, 2, 3, 4, 6, 8, 12, 16)  # the bounds of framecast_denoiser_batch_size


class StageMetrics:
    """A `framecast.stages.observed.StageObserver`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.latency = Histogram(
            "framecast_stage_latency_seconds",
            "A stage call that ended well, Triton's queue and the wire included",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.engine_seconds = Counter(
            "framecast_engine_seconds", "Time inside the engines", ["stage"], registry=registry
        )
        self.errors = Counter("framecast_stage_errors", "Stage calls that failed", ["stage"], registry=registry)
        self.batch_size = Histogram(
            "framecast_batch_size",
            "Segments that this gateway has in the denoiser, counted whenever one more joins them",
            buckets=_SEGMENTS,
            registry=registry,
        )
        self.denoising = 0
        for stage in STAGES:
            self.latency.labels(stage)
            self.engine_seconds.labels(stage)
        for stage in CALLS:
            self.errors.labels(stage)

    def began(self, stage: str, attributes: Attributes) -> "_Call":
        """A stage call begins."""
        if stage == "denoise":
            self.denoising += 1
            self.batch_size.observe(self.denoising)
        return _Call(self, stage)


class _Call:
    """A stage call's stopwatch; it stands while the caller is busy with a result."""

    def __init__(self, metrics: StageMetrics, stage: str) -> None:
        self._metrics = metrics
        self._stage = stage
        self._seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self._seconds += time.perf_counter() - began

    def ended(self, error: BaseException | None, engine_seconds: Mapping[str, float]) -> None:
        metrics = self._metrics
        metrics.denoising -= self._stage == "denoise"
        for stage, seconds in engine_seconds.items():
            metrics.engine_seconds.labels(stage).inc(seconds)
        if isinstance(error, Exception):
            metrics.errors.labels(self._stage).inc()
        elif error is None:
            others = AFTER_DECODING if self._stage == "decode" else ()
            within = {stage: engine_seconds[stage] for stage in others if stage in engine_seconds}
            metrics.latency.labels(self._stage).observe(max(0.0, self._seconds - sum(within.values())))
            for stage, seconds in within.items():
                metrics.latency.labels(stage).observe(seconds)
