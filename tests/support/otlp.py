"""A place where spans are sent: OTLP over HTTP, as protobuf (the gateway's exporter) or JSON (Triton's)."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """A span as it was sent; ids in hexadecimal, `parent` empty at a root."""

    service: str
    name: str
    trace: str
    id: str
    parent: str


class Collector:
    """Receives spans on a loopback port.

    Attributes:
        url: for OTEL_EXPORTER_OTLP_ENDPOINT.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._spans: list[Span] = []
        self._lock = threading.Lock()

    def add(self, spans: list[Span]) -> None:
        """Keeps what came in one request."""
        with self._lock:
            self._spans += spans

    def trace(self, trace: str) -> list[Span]:
        """The spans of a trace so far."""
        with self._lock:
            return [span for span in self._spans if span.trace == trace]


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector for the length of a `with` block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            as_json = "json" in self.headers.get("Content-Type", "")
            collector.add(_from_json(body) if as_json else _from_protobuf(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: a test's output is its own."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        collector = Collector(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield collector
        server.shutdown()
        thread.join()


def _from_protobuf(body: bytes) -> list[Span]:
    message = ExportTraceServiceRequest.FromString(body)
    return [
        Span(
            next(a.value.string_value for a in resource.resource.attributes if a.key == "service.name"),
            span.name,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
        )
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _from_json(body: bytes) -> list[Span]:
    return [
        Span(
            next(a["value"]["stringValue"] for a in resource["resource"]["attributes"] if a["key"] == "service.name"),
            span["name"],
            span["traceId"].lower(),
            span["spanId"].lower(),
            span.get("parentSpanId", "").lower(),
        )
        for resource in json.loads(body)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
