"""One trace from the client through the gateway to each stage call, and none where nobody asks for it."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, Tracer

from framecast.client import AsyncVideoClient, RetryPolicy, Scene, VideoClient, VideoOptions
from framecast.client.errors import ServerError, Unavailable
from framecast.director.director import Director, DirectorConfig
from framecast.errors import StageFailed, StageUnavailable
from framecast.gateway.config import GatewayConfig
from framecast.gateway.server import start_gateway
from framecast.gateway.traced import CallSpans
from framecast.planner.storyboard import Scene as Planned_
from framecast.stages.observed import ObservedStages
from framecast.stages.traced import StageSpans, trace_headers
from framecast.stages.types import Encoded, Floats, Latents, Planned, TextStates

RPC = "framecast.v1.Video/Generate"


class Stages:
    """Answers at once; notes the trace context that each request would have taken to Triton."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.error: Exception | None = None

    def _send(self, stage: str) -> None:
        self.sent.append((stage, trace_headers().get("traceparent", "")))

    async def plan(self, story: str, max_scenes: int) -> AsyncGenerator[Planned, None]:
        self._send("plan")
        for index in range(2):
            await asyncio.sleep(0)
            yield Planned(Planned_(f"{story} {index}", 1.0), 0.5)

    async def encode_text(self, prompt: str, negative_prompt: str, *, scene: int) -> TextStates:
        self._send("text")
        return TextStates(np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32), 0.25)

    async def denoise(self, states: TextStates, **request: Any) -> Latents:
        self._send("denoise")
        if self.error is not None:
            raise self.error
        return Latents(np.zeros((request["latent_count"], 1, 1, 1), np.float32), 2.0)

    async def decode(self, latents: Floats, **request: Any) -> Encoded:
        self._send("decode")
        return Encoded((b"12345",), "video/mp4", 0.5, 0.001, 0.0005)


class Traced:
    """A gateway over `Stages` and the spans of everybody."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self._provider = TracerProvider(shutdown_on_exit=False)
        self._provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.stages = Stages()
        self.address = ""

    @property
    def tracer(self) -> Tracer:
        return self._provider.get_tracer("test")

    def spans(self, name: str) -> list[ReadableSpan]:
        """Those of that name, in the order in which they began."""
        found = [span for span in self.exporter.get_finished_spans() if span.name == name]
        return sorted(found, key=lambda span: span.start_time or 0)

    async def servers(self, count: int = 1) -> list[ReadableSpan]:
        """The gateway's spans, once there are so many: a caller knows that a call has ended before its span does."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            found = [span for span in self.spans(RPC) if span.kind is SpanKind.SERVER]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.005)
        raise AssertionError(f"the gateway has not ended {count} spans")

    async def rpc(self) -> tuple[ReadableSpan, ReadableSpan]:
        """The client's and the gateway's span of the one call."""
        (server,) = await self.servers()
        (client,) = (span for span in self.spans(RPC) if span.kind is SpanKind.CLIENT)
        return client, server


@pytest.fixture
async def traced(model):
    fixture = Traced()
    stages = ObservedStages(fixture.stages, [StageSpans(fixture.tracer)])
    director = Director(stages, model, DirectorConfig(patience=0.0, retry_pause=0.0))
    config = GatewayConfig(address="127.0.0.1:0")
    gateway = await start_gateway(config, director, model, spans=CallSpans(fixture.tracer))
    fixture.address = f"127.0.0.1:{gateway.port}"
    yield fixture
    await gateway.stop()


def parent(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


def traceparent(span: ReadableSpan) -> str:
    return f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-{span.context.trace_flags:02x}"


async def test_every_stage_call_is_a_child_of_the_gateways_span_which_is_the_clients(traced):
    options = VideoOptions(fps=16, steps=20)

    def generate():
        with VideoClient(traced.address, tracer=traced.tracer) as client:
            return list(client.generate("kitten", options=options))

    await asyncio.to_thread(generate)
    client, server = await traced.rpc()
    everything = traced.exporter.get_finished_spans()
    assert {span.context.trace_id for span in everything} == {client.context.trace_id}
    assert parent(client) is None
    assert parent(server) == client.context.span_id

    # Two scenes of one segment, each decoded in two chunks (see MODEL in conftest).
    calls = {name: traced.spans(name) for name in ("plan", "text", "denoise", "decode")}
    assert {name: len(spans) for name, spans in calls.items()} == {"plan": 1, "text": 2, "denoise": 2, "decode": 4}
    for spans in calls.values():
        assert {parent(span) for span in spans} == {server.context.span_id}
    for name in ("encode", "mux"):
        assert [parent(span) for span in traced.spans(name)] == [span.context.span_id for span in calls["decode"]]
    assert len(everything) == 2 + 9 + 2 * 4

    # What goes to Triton names the span of the very call.
    sent = {name: [header for stage, header in traced.stages.sent if stage == name] for name in calls}
    assert sent == {name: [traceparent(span) for span in spans] for name, spans in calls.items()}


async def test_spans_say_what_was_made(traced):
    async with AsyncVideoClient(traced.address, tracer=traced.tracer) as client:
        async for _ in client.generate(scenes=[Scene("a", 1.0), Scene("b", 1.5)], options=VideoOptions(steps=10)):
            pass
    places = [(s.attributes["framecast.scene"], s.attributes["framecast.segment"]) for s in traced.spans("denoise")]
    assert places == [(0, 0), (1, 0), (1, 1)]
    first = traced.spans("denoise")[0].attributes
    assert (first["framecast.steps"], first["framecast.width"], first["framecast.latents"]) == (10, 256, 4)
    assert first["framecast.engine_seconds.denoise"] == 2.0
    decoded = [s.attributes for s in traced.spans("decode")]
    assert [a["framecast.chunk"] for a in decoded] == list(range(len(decoded)))
    assert sum(a["framecast.frames"] for a in decoded) == 40
    assert {a["framecast.codec"] for a in decoded} == {"h264"}
    _, server = await traced.rpc()
    assert server.attributes["framecast.frames"] == 40
    assert server.attributes["rpc.grpc.status_code"] == 0
    encode, mux = traced.spans("encode")[0], traced.spans("mux")[0]
    assert encode.end_time - encode.start_time == pytest.approx(1e6)  # 1 ms, as the encoder said
    assert mux.end_time - mux.start_time == pytest.approx(5e5)
    assert encode.end_time == mux.start_time
    assert mux.end_time == traced.spans("decode")[0].end_time


@pytest.mark.parametrize(
    ("error", "raised", "code"), [(StageFailed("no"), ServerError, 13), (StageUnavailable("down"), Unavailable, 14)]
)
async def test_a_failure_is_marked_where_it_happened_and_on_the_way_out(traced, error, raised, code):
    traced.stages.error = error
    async with AsyncVideoClient(traced.address, tracer=traced.tracer, retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(raised):
            async for _ in client.generate(scenes=[Scene("a", 1.0)]):
                pass
    (denoise,) = traced.spans("denoise")
    for span in (denoise, *await traced.rpc()):
        assert span.status.status_code is StatusCode.ERROR
    assert [span.attributes["rpc.grpc.status_code"] for span in await traced.rpc()] == [code, code]
    assert traced.spans("text")[0].status.status_code is StatusCode.UNSET


async def test_a_client_without_a_tracer_begins_no_trace_but_the_gateway_does(traced):
    async with AsyncVideoClient(traced.address) as client:
        async for _ in client.generate(scenes=[Scene("a", 1.0)]):
            pass
    (server,) = await traced.servers()
    assert traced.spans(RPC) == [server]
    assert parent(server) is None


async def test_two_videos_at_once_are_two_traces(traced):
    async def film(seconds: float) -> None:
        async with AsyncVideoClient(traced.address, tracer=traced.tracer) as client:
            async for _ in client.generate(scenes=[Scene("a", seconds)]):
                pass

    await asyncio.gather(film(1.0), film(3.0))
    servers = await traced.servers(2)
    children = [sum(parent(span) == server.context.span_id for span in traced.spans("denoise")) for server in servers]
    assert len({server.context.trace_id for server in servers}) == 2
    assert sorted(children) == [1, 4]


UNTRACED = """
import os, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
import framecast.gateway.serve
from framecast.client import VideoClient
from framecast.client.tracing import client_span
from framecast.gateway.observers import Observers

def show():
    with Observers.opened(None) as observers, VideoClient("127.0.0.1:1"), client_span(None, "Generate") as carried:
        print(len(observers.stages), observers.headers(), carried)

show()
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:1"
os.environ["OTEL_TRACES_EXPORTER"] = "none"
show()
print("---", file=sys.stderr)
del os.environ["OTEL_TRACES_EXPORTER"]
show()
"""


def test_without_the_extra_or_an_endpoint_nothing_is_imported():
    unset = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    environment = {**unset, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", UNTRACED], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "1 {} ()\n" * 3), done.stderr
    without_endpoint, without_extra = done.stderr.split("---\n")
    assert without_endpoint == ""
    assert "pip install 'framecast[otel]'" in without_extra
