"""A real run as its operators see it: one trace down to Triton's models, metrics, health, and the steps."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

import promql_parser
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.support.otlp import Collector, Span
from tests.support.promql import DOCKER, expressions, grouping, selectors
from tests.system.system import System, until

from framecast.client import Done, Scene, VideoClient, VideoOptions
from framecast.client.errors import ServerError
from framecast.client.health import health_of
from framecast.triton.prerequisites import find_triton

# Triton shows these only where there is a GPU; their names are in its library all the same.
GPU = {"nv_gpu_utilization", "nv_gpu_memory_used_bytes", "nv_gpu_memory_total_bytes", "nv_gpu_power_usage"}
SCRAPED = {"instance", "job"}  # labels that Prometheus itself adds
Series = dict[str, list[dict[str, str]]]  # name → labels of each


def traced(system: System, story: str | None = None) -> tuple[str, str]:
    """Films a scene, or asks for a story that the tiny planner makes nothing of; the ids of trace and client's span."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    scenes = None if story else [Scene("a white kitten plays in the courtyard", 1.0)]
    fails = pytest.raises(ServerError) if story else nullcontext()
    with VideoClient(system.address, tracer=provider.get_tracer("test")) as client, fails:
        list(client.generate(story, scenes=scenes, timeout=120))
    (root,) = exporter.get_finished_spans()
    return f"{root.context.trace_id:032x}", f"{root.context.span_id:016x}"


GATEWAY = "framecast.v1.Video/Generate"


@pytest.mark.parametrize(
    ("story", "above"),
    [
        (None, {"text_encoder": "text", "denoiser": "denoise", "vae_decoder": "decode", "frame_encoder": "decode"}),
        ("A kitten plays.", {"scene_planner": "plan"}),
    ],
)
def test_one_trace_from_the_client_to_tritons_models(
    story: str | None, above: dict[str, str], tiny_system: System, otlp: Collector
) -> None:
    # Triton 2.51 loses all spans of one call in about eighteen: six videos, one of which has to be whole.
    roots = [traced(tiny_system, story) for _ in range(6)]
    names = {GATEWAY, *above}

    def ancestors(spans: list[Span], name: str) -> list[str]:
        by_id = {span.id: span for span in spans}
        span = next(span for span in spans if span.name == name and span.service == "framecast-triton")
        names = []
        while span.parent in by_id:
            span = by_id[span.parent]
            names.append(span.name)
        return names

    def whole() -> list[tuple[str, list[Span]]]:
        """Spans come in any order: those of a trace are all there once every model's lead up to the gateway's."""
        found = [(root, otlp.trace(trace)) for trace, root in roots]
        return [
            (root, spans)
            for root, spans in found
            if names <= {span.name for span in spans} and all(ancestors(spans, m)[-1:] == [GATEWAY] for m in above)
        ]

    until(lambda: bool(whole()), "the gateway's span and Triton's of every model, under one another")
    root, spans = whole()[0]
    (call,) = [span for span in spans if span.name == GATEWAY]
    assert (call.service, call.parent) == ("framecast-gateway", root)

    for model, stage in above.items():
        ensemble = ["decode_frames"] if stage == "decode" else []
        assert ancestors(spans, model) == [*ensemble, "InferRequest", stage, GATEWAY], model


def test_gateway_and_triton_answer_the_same_health_check(tiny_system: System) -> None:
    assert health_of(tiny_system.address, service="framecast.v1.Video") == "SERVING"
    assert health_of(tiny_system.triton_address) == "SERVING"


def film(system: System, *, seed: int) -> Done:
    scenes = [Scene("a white kitten plays in the courtyard", 1.0), Scene("a red car moves left", 1.5)]
    with VideoClient(system.address) as client:
        events = list(client.generate(scenes=scenes, options=VideoOptions(seed=seed), timeout=120))
    done = events[-1]
    assert isinstance(done, Done)
    return done


def samples(url: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """A page as Prometheus reads it; the Python parser would give Triton's counters other names."""
    with urllib.request.urlopen(url, timeout=10) as page:
        lines = [line for line in page.read().decode().splitlines() if line and not line.startswith("#")]
    found = [re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line) for line in lines]
    return {(m[1], frozenset(re.findall(r'(\w+)="([^"]*)"', m[2] or ""))): float(m[3]) for m in found if m}


def test_the_metrics_of_a_video_are_its_statistics(tiny_system: System) -> None:
    before = samples(tiny_system.metrics_url)
    stats = film(tiny_system, seed=1).stats
    after = samples(tiny_system.metrics_url)

    def grown(name: str, **labels: str) -> float:
        key = (f"framecast_{name}", frozenset(labels.items()))
        return after[key] - before[key]

    assert grown("requests_total", method="generate", code="OK") == 1
    assert (grown("frames_total"), grown("bytes_total")) == (stats.frames, stats.bytes)
    for stage, seconds in stats.engine_seconds.items():
        assert grown("engine_seconds_total", stage=stage) == pytest.approx(seconds, rel=1e-6)
        assert grown("stage_latency_seconds_sum", stage=stage) >= 0.9 * seconds
    assert grown("stage_latency_seconds_count", stage="text") == stats.scenes
    assert grown("stage_latency_seconds_count", stage="denoise") == grown("batch_size_count") == stats.segments
    for stage in ("decode", "encode", "mux"):
        assert grown("stage_latency_seconds_count", stage=stage) == stats.chunks
    first = grown("time_to_first_frame_seconds_sum")
    assert stats.first_chunk_seconds <= first <= stats.total_seconds
    assert grown("realtime_factor_sum") >= stats.total_seconds * 8 / stats.frames  # 8 fps, the wait for a place too


def test_everything_the_dashboard_and_the_alerts_read_is_on_a_page(tiny_system: System) -> None:
    film(tiny_system, seed=2)
    series: Series = {"up": [{}]}  # Prometheus' own
    for url in (tiny_system.metrics_url, tiny_system.triton_metrics_url):
        for name, labels in samples(url):
            series.setdefault(name, []).append(dict(labels))
    libraries = b"".join(path.read_bytes() for path in find_triton().libraries[0].glob("libtritonserver*"))
    for name in GPU:
        assert name[:16].encode() in libraries  # the compiler keeps the first 16 letters of a name together
    for place, expression in expressions():
        for selector in selectors(expression):
            if selector.name in GPU:
                continue
            assert selector.name in series, f"{place} reads {selector.name}, which no page has"
            known = matching(series[selector.name], selector.matchers.matchers)
            assert known, f"{place} reads {selector}, whose labels no series has"
            unknown = grouping(expression) - {label for labels in known for label in labels} - SCRAPED
            assert not unknown, f"{place} groups {selector.name} by {unknown}"


def matching(series: list[dict[str, str]], matchers: Iterable[promql_parser.Matcher]) -> list[dict[str, str]]:
    """The series that have every label that is asked for, and its value where one is named."""
    wanted = [m for m in matchers if m.name not in SCRAPED]
    return [
        labels
        for labels in series
        if all(m.name in labels and (m.op != promql_parser.MatchOp.Equal or labels[m.name] == m.value) for m in wanted)
    ]


def test_the_gateway_step_serves_in_front_of_a_triton_that_runs(tiny_system: System) -> None:
    steps = str(DOCKER / "steps.sh")
    settings = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TRITON_ADDRESS": tiny_system.triton_address,
        "FRAMECAST_LISTEN": "127.0.0.1:0",
        "FRAMECAST_METRICS": "127.0.0.1:0",
    }
    with subprocess.Popen([steps, "gateway"], env=settings, stderr=subprocess.PIPE, text=True) as gateway:
        assert gateway.stderr is not None
        serving = next(line for line in gateway.stderr if line.startswith("serving "))
        assert health_of(serving.split()[-1]) == "SERVING"
        gateway.send_signal(signal.SIGTERM)
        assert gateway.wait(60) == 0
