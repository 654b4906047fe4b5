"""Spans of a client's calls. OpenTelemetry is imported only where there is a tracer.

A program that traces gives its own tracer to the client. The commands and the server take one from OpenTelemetry's
environment variables: no OTLP endpoint there, no tracing.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import TYPE_CHECKING

from framecast.client.errors import FramecastClientError
from framecast.client.v1 import video_pb2

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_log = logging.getLogger(__name__)

EXPORT_SECONDS = 2.0  # a collector that does not answer may hold up the end of a command this long
SERVICE = video_pb2.DESCRIPTOR.services_by_name["Video"].full_name


def traces_endpoint() -> str | None:
    """Where OpenTelemetry's environment variables want spans sent, an OTLP/HTTP URL; None for nowhere."""
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if off or os.environ.get("OTEL_TRACES_EXPORTER", "").lower() == "none":
        return None
    if own := os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        return own
    base = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    return f"{base.rstrip('/')}/v1/traces" if base else None


@contextmanager
def environment_tracer(service: str) -> Iterator["Tracer | None"]:
    """A tracer that exports to `traces_endpoint` until the block ends; None where there is no endpoint.

    Args:
        service: name of this process in traces; OTEL_SERVICE_NAME goes first.

    The exporter gives a batch up after `EXPORT_SECONDS`, or OTEL_EXPORTER_OTLP_TIMEOUT seconds.
    """
    endpoint = traces_endpoint()
    if endpoint is None:
        yield None
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        _log.warning("no traces: an OTLP endpoint is set and %s is missing; pip install 'framecast[otel]'", error.name)
        yield None
        return
    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", service)})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint, timeout=_export_seconds())))
    try:
        yield provider.get_tracer("framecast", metadata.version("framecast"))
    finally:
        provider.shutdown()


def _export_seconds() -> float | None:
    """None leaves it to the exporter, which reads the variables itself."""
    own = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
    return None if any(os.environ.get(name) for name in own) else EXPORT_SECONDS


@contextmanager
def client_span(tracer: "Tracer | None", method: str) -> Iterator[tuple[tuple[str, str], ...]]:
    """The span of one call, all its tries included; yields the metadata that carries it to the server.

    The span is not made the current one: the block may yield to its caller, whose context stays his own.

    Args:
        tracer: None for no span and no metadata.
        method: of the service.
    """
    if tracer is None:
        yield ()
        return
    from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    attributes = {"rpc.system": "grpc", "rpc.service": SERVICE, "rpc.method": method}
    span = tracer.start_span(f"{SERVICE}/{method}", kind=SpanKind.CLIENT, attributes=attributes)
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, set_span_in_context(span))
    try:
        yield tuple(carrier.items())
    except FramecastClientError as error:
        span.set_attribute("rpc.grpc.status_code", error.code.value[0])
        span.set_status(StatusCode.ERROR, str(error))
        raise
    finally:
        span.end()
