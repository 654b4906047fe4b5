"""Spans of the service's calls. Imported only where there is a tracer: it needs OpenTelemetry."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from framecast.client.tracing import SERVICE
from framecast.gateway.calls import Attribute

_RPC = {"generate": "Generate", "plan": "Plan"}
_PROPAGATOR = TraceContextTextMapPropagator()
# The caller's own mistakes, and his leaving, are no errors of the server (OpenTelemetry's conventions for gRPC).
_ERRORS = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}


class CallSpans:
    """Opens the span of a call: a child of the caller's where his metadata carries W3C trace context."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def __call__(self, method: str, context: Any) -> Iterator["_RpcSpan"]:
        """The span is the current one in the block, and so in the tasks that begin there."""
        carrier = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        with self._tracer.start_as_current_span(
            f"{SERVICE}/{_RPC[method]}",
            context=_PROPAGATOR.extract(carrier),
            kind=SpanKind.SERVER,
            attributes={"rpc.system": "grpc", "rpc.service": SERVICE, "rpc.method": _RPC[method]},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield _RpcSpan(span)


class _RpcSpan:
    def __init__(self, span: Span) -> None:
        self._span = span

    def note(self, attributes: Mapping[str, Attribute]) -> None:
        self._span.set_attributes(attributes)

    def ended(self, code: grpc.StatusCode, details: str) -> None:
        self._span.set_attribute("rpc.grpc.status_code", code.value[0])
        if code in _ERRORS:
            self._span.set_status(StatusCode.ERROR, details)
