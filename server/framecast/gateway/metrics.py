"""What the gateway counts and times, as Prometheus metrics in a registry of their own.

The gateway sees requests, waiting and stage calls; what the denoiser's batches really held is on Triton's page, as
`framecast_denoiser_*` (`framecast.stages.metrics`). Every label has a fixed set of values.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import grpc
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from framecast.errors import AtWork, DeadlineTooShort, FramecastError, Overloaded, StageUnavailable
from framecast.gateway.admission import Admission
from framecast.gateway.stage_metrics import StageMetrics

METHODS = ("generate", "plan", "server_info")
QUEUED_METHODS = METHODS[:2]
UNAUTHENTICATED, NOT_SERVING = "unauthenticated", "not_serving"
_ADMISSION: Mapping[type[FramecastError], str] = {
    Overloaded: "overloaded",
    DeadlineTooShort: "deadline",
    AtWork: "duplicate",
    StageUnavailable: "shutting_down",
}
REASONS = (*_ADMISSION.values(), UNAUTHENTICATED, NOT_SERVING)

# Seconds; a video takes from a fraction of one to minutes.
_CALL = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
_QUEUE = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_FIRST_FRAME = (0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300)
_RATIO = (0.1, 0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 10, 20, 50)


class GatewayMetrics:
    """The metrics of one gateway.

    Attributes:
        registry: all of them, to be shown by `framecast.gateway.page`.
        stages: those of the stage calls.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.stages = StageMetrics(registry)
        self.serving = Gauge("framecast_serving", "1 while health says SERVING, else 0", registry=registry)
        self.queued = Gauge("framecast_queue_requests", "Requests that wait", ["method"], registry=registry)
        self.running = Gauge("framecast_running_requests", "Requests at work", ["method"], registry=registry)
        self.requests = Counter(
            "framecast_requests", "Requests that ended, by gRPC status", ["method", "code"], registry=registry
        )
        self.refusals = Counter(
            "framecast_refusals", "Requests that were refused before any work", ["reason"], registry=registry
        )
        self.reviews = Counter(
            "framecast_reviews",
            "What content review found, in requests, plans and pictures, refused or not",
            ["where", "category"],
            registry=registry,
        )
        self.latency = Histogram(
            "framecast_request_latency_seconds",
            "From a request's arrival to its end",
            ["method"],
            buckets=_CALL,
            registry=registry,
        )
        self.queue_time = Histogram(
            "framecast_queue_time_seconds",
            "From a request's admission to its turn; the signal to scale on",
            ["method"],
            buckets=_QUEUE,
            registry=registry,
        )
        self.first_frame = Histogram(
            "framecast_time_to_first_frame_seconds",
            "From a video's admission until its first chunk was sent",
            buckets=_FIRST_FRAME,
            registry=registry,
        )
        self.realtime_factor = Histogram(
            "framecast_realtime_factor",
            "Seconds from a video's admission to its end for each second of it; at most 1 plays without a pause",
            buckets=_RATIO,
            registry=registry,
        )
        self.frames = Counter("framecast_frames", "Frames sent", registry=registry)
        self.bytes = Counter("framecast_bytes", "Bytes of encoded frames sent", registry=registry)
        # All series are there from the start, at 0: a rate needs a value before the first event.
        for method in METHODS:
            for code in grpc.StatusCode:
                self.requests.labels(method, code.name)
            self.latency.labels(method)
        for method in QUEUED_METHODS:
            self.queue_time.labels(method)
        for reason in REASONS:
            self.refusals.labels(reason)

    def watch(self, method: str, admission: Admission) -> None:
        """From now on the gauges of `method` show the places of `admission`."""
        self.queued.labels(method).set_function(lambda: admission.queued)
        self.running.labels(method).set_function(lambda: admission.live)

    def refused(self, reason: str) -> None:
        """One of `REASONS` has kept a request out."""
        self.refusals.labels(reason).inc()

    @contextmanager
    def admitting(self) -> Iterator[None]:
        """Counts the refusal that an admission in the block raises."""
        try:
            yield
        except FramecastError as error:
            if (reason := _ADMISSION.get(type(error))) is not None:
                self.refused(reason)
            raise
