"""Spans of stage calls. Imported only where there is a tracer: it needs OpenTelemetry.

A call's span is the current one while the call runs, so `trace_headers` sends its context along, and a Triton that
traces in opentelemetry mode adds its own spans of the models below it.
"""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager

from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from framecast.stages.observed import Attributes

_PROPAGATOR = TraceContextTextMapPropagator()


def trace_headers() -> dict[str, str]:
    """W3C trace context of the current span, as metadata of a request; empty without a span."""
    headers: dict[str, str] = {}
    _PROPAGATOR.inject(headers)
    return headers


class StageSpans:
    """A `framecast.stages.observed.StageObserver`: one span a call."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def began(self, stage: str, attributes: Attributes) -> "_CallSpan":
        """The span's parent is the current one: the gateway's of the video."""
        named = {f"framecast.{name}": value for name, value in attributes.items()}
        return _CallSpan(self._tracer, self._tracer.start_span(stage, kind=SpanKind.CLIENT, attributes=named))


class _CallSpan:
    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span

    def running(self) -> AbstractContextManager[object]:
        return use_span(self._span, end_on_exit=False, record_exception=False, set_status_on_exception=False)

    def ended(self, error: BaseException | None, engine_seconds: Mapping[str, float]) -> None:
        end = time.time_ns()
        for stage, seconds in engine_seconds.items():
            self._span.set_attribute(f"framecast.engine_seconds.{stage}", seconds)
        if isinstance(error, Exception):
            self._span.set_status(StatusCode.ERROR, str(error))
        elif error is not None:
            self._span.set_attribute("framecast.cancelled", True)
        else:
            self._encoder(end, engine_seconds)
        self._span.end(end)

    def _encoder(self, end: int, engine_seconds: Mapping[str, float]) -> None:
        """The encoder is the last step of the ensemble that decodes, and muxing the last that it does: their spans are
        the end of the call's.
        """
        parent = set_span_in_context(self._span)
        for stage in ("mux", "encode", "review"):
            if seconds := engine_seconds.get(stage):
                start = end - int(seconds * 1e9)
                self._tracer.start_span(stage, parent, start_time=start).end(end)
                end = start
