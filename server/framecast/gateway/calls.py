"""One call of the service: what its course tells the metrics and, where there is one, its span."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import grpc

from framecast.director.video import Chunk, Event, VideoSpec
from framecast.gateway.metrics import GatewayMetrics

Attribute = bool | float | int | str


class CallSpan(Protocol):
    """What a call needs of an OpenTelemetry span, see `framecast.gateway.traced`."""

    def note(self, attributes: Mapping[str, Attribute]) -> None:
        """Adds attributes."""
        ...

    def ended(self, code: grpc.StatusCode, details: str) -> None:
        """The call's status."""
        ...


# Opens the span of a call, given its method and gRPC context.
Spans = Callable[[str, Any], AbstractContextManager[CallSpan | None]]


def no_spans(method: str, context: Any) -> AbstractContextManager[None]:
    """Nobody traces."""
    return nullcontext()


class Call:
    """A call from its arrival to its end.

    Args:
        method: one of `framecast.gateway.metrics.METHODS`.
        request_id: names it in logs; a video's own takes its place.
        metrics: of the gateway.
        span: of the call.
    """

    def __init__(self, method: str, request_id: str, metrics: GatewayMetrics, span: CallSpan | None) -> None:
        self.method = method
        self.request_id = request_id
        self._metrics = metrics
        self._span = span
        self._arrived = self._admitted = time.monotonic()
        self._frames = 0

    def admitted(self, spec: VideoSpec | None = None) -> None:
        """It will have its turn. A video is timed from here on: before it, the caller may still have been writing."""
        self._admitted = time.monotonic()
        if spec is not None:
            size = {"width": spec.width, "height": spec.height, "fps": spec.fps, "steps": spec.steps}
            self._note(request_id=spec.request_id, codec=spec.codec, **size)

    def began(self) -> None:
        """Its turn has come."""
        waited = time.monotonic() - self._admitted
        self._metrics.queue_time.labels(self.method).observe(waited)
        self._note(queue_seconds=waited)

    def sent(self, event: Event) -> None:
        """An event of a video has gone out."""
        if not isinstance(event, Chunk):
            return
        if not self._frames:
            first = time.monotonic() - self._admitted
            self._metrics.first_frame.observe(first)
            self._note(first_frame_seconds=first)
        self._frames += event.frames
        self._metrics.frames.inc(event.frames)
        self._metrics.bytes.inc(len(event.data))

    def finished(self, spec: VideoSpec) -> None:
        """A video is whole."""
        if self._frames:
            seconds = time.monotonic() - self._admitted
            self._metrics.realtime_factor.observe(seconds * spec.fps / self._frames)
        self._note(frames=self._frames)

    def ended(self, code: grpc.StatusCode, details: str = "") -> None:
        """It has this status."""
        self._metrics.requests.labels(self.method, code.name).inc()
        self._metrics.latency.labels(self.method).observe(time.monotonic() - self._arrived)
        if self._span is not None:
            self._span.ended(code, details)

    def _note(self, **attributes: Attribute) -> None:
        if self._span is not None:
            self._span.note({f"framecast.{name}": value for name, value in attributes.items()})
