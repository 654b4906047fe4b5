"""The metrics page: what a run of the gateway leaves there, in Prometheus' own parser."""

import asyncio
import urllib.request
from types import SimpleNamespace

import pytest
import typer
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from framecast.client import AsyncVideoClient, RetryPolicy, Scene, VideoOptions
from framecast.client.errors import InvalidArgument, Overloaded, Unauthenticated
from framecast.errors import StageFailed
from framecast.gateway import stage_metrics
from framecast.gateway.metrics import METHODS, REASONS, GatewayMetrics
from framecast.gateway.page import MetricsPage, parsed_address
from framecast.gateway.serve import command
from framecast.gateway.stage_metrics import STAGES, StageMetrics


def read(metrics: GatewayMetrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of the page, by name and labels."""
    with MetricsPage("127.0.0.1:0", metrics.registry) as page, urllib.request.urlopen(page.url, timeout=5) as answer:
        text = answer.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(metrics: GatewayMetrics, name: str, **labels: str) -> float:
    found = metrics.registry.get_sample_value(f"framecast_{name}", labels)
    assert found is not None, f"{name} {labels} is not there"
    return found


async def film(address: str, *prompts: str, token: str = "", **options: int) -> None:
    once = RetryPolicy(attempts=1)
    async with AsyncVideoClient(address, token=token, retry=once) as client:
        async for _ in client.generate(scenes=[Scene(prompt) for prompt in prompts], options=VideoOptions(**options)):
            pass


async def test_a_film_is_counted_and_timed(serve):
    served = await serve()
    await film(served.address, "a", "b", fps=8)
    metrics = served.gateway.service.metrics
    assert value(metrics, "requests_total", method="generate", code="OK") == 1
    assert (value(metrics, "frames_total"), value(metrics, "bytes_total")) == (32, 4000)
    assert value(metrics, "queue_time_seconds_count", method="generate") == 1
    first, latency = (
        value(metrics, "time_to_first_frame_seconds_sum"),
        value(metrics, "request_latency_seconds_sum", method="generate"),
    )
    assert 0 < first < latency
    # 32 frames at 8 fps are 4 s of video.
    assert 0 < value(metrics, "realtime_factor_sum") * 4 <= latency
    page = await asyncio.to_thread(read, metrics)
    assert page["framecast_frames_total", frozenset()] == 32


async def test_the_queue_and_every_refusal_have_a_number(serve, until):
    served = await serve(max_live_videos=1, max_queued_videos=1, tokens=frozenset({"right"}))
    metrics = served.gateway.service.metrics
    hold = asyncio.Event()
    served.director.before_chunk = hold.wait
    films = [asyncio.create_task(film(served.address, "a", token="right")) for _ in range(2)]
    await until(lambda: value(metrics, "queue_requests", method="generate") == 1)
    assert value(metrics, "running_requests", method="generate") == 1
    with pytest.raises(Overloaded):
        await film(served.address, "a", token="right")
    with pytest.raises(Unauthenticated):
        await film(served.address, "a", token="wrong")
    with pytest.raises(InvalidArgument):
        await film(served.address, "a", token="right", width=250)
    hold.set()
    await asyncio.gather(*films)
    assert value(metrics, "refusals_total", reason="overloaded") == 1
    assert value(metrics, "refusals_total", reason="unauthenticated") == 1
    assert value(metrics, "requests_total", method="generate", code="RESOURCE_EXHAUSTED") == 1
    assert value(metrics, "requests_total", method="generate", code="INVALID_ARGUMENT") == 1
    assert value(metrics, "requests_total", method="generate", code="OK") == 2
    assert value(metrics, "queue_time_seconds_count", method="generate") == 2
    await until(lambda: value(metrics, "running_requests", method="generate") == 0)


async def test_who_leaves_is_counted_as_cancelled(serve, until):
    served = await serve()
    served.director.before_chunk = asyncio.Event().wait
    task = asyncio.create_task(film(served.address, "a"))
    await until(lambda: served.director.live == 1)
    task.cancel()
    metrics = served.gateway.service.metrics

    def cancelled() -> bool:
        return (
            metrics.registry.get_sample_value("framecast_requests_total", {"method": "generate", "code": "CANCELLED"})
            == 1
        )

    await until(cancelled)


def test_every_series_is_there_before_the_first_request():
    page = read(GatewayMetrics())
    labels = {(name, *pair) for name, pairs in page for pair in pairs}
    for method in METHODS:
        assert ("framecast_request_latency_seconds_count", "method", method) in labels
    for reason in REASONS:
        assert ("framecast_refusals_total", "reason", reason) in labels
    for stage in STAGES:
        assert ("framecast_stage_latency_seconds_count", "stage", stage) in labels
        assert ("framecast_engine_seconds_total", "stage", stage) in labels


def test_a_stage_call_that_decodes_encodes_and_muxes_is_split_in_three(monkeypatch):
    metrics = GatewayMetrics()
    clock = iter([10.0, 12.0, 20.0, 21.0])  # at work for 2 s and for 1 s; the time between is the caller's
    monkeypatch.setattr(stage_metrics, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    call = metrics.stages.began("decode", {})
    for _ in range(2):
        with call.running():
            pass
    call.ended(None, {"decode": 1.5, "encode": 1.0, "mux": 0.25})
    assert value(metrics, "stage_latency_seconds_sum", stage="decode") == 1.75
    assert value(metrics, "stage_latency_seconds_sum", stage="encode") == 1.0
    assert value(metrics, "stage_latency_seconds_sum", stage="mux") == 0.25
    assert value(metrics, "engine_seconds_total", stage="decode") == 1.5
    assert value(metrics, "engine_seconds_total", stage="mux") == 0.25
    assert value(metrics, "stage_latency_seconds_count", stage="review") == 0, "nobody looked at the pictures"


def test_segments_in_the_denoiser_are_counted_at_once_and_given_back():
    metrics = GatewayMetrics()
    calls = [metrics.stages.began("denoise", {}) for _ in range(3)]
    for call, error in zip(calls, (None, StageFailed("no"), asyncio.CancelledError()), strict=True):
        call.ended(error, {})
    metrics.stages.began("denoise", {})
    assert value(metrics, "batch_size_sum") == 1 + 2 + 3 + 1
    assert value(metrics, "stage_errors_total", stage="denoise") == 1
    assert value(metrics, "stage_latency_seconds_count", stage="denoise") == 1


def test_two_gateways_share_nothing():
    one, other = GatewayMetrics(), GatewayMetrics()
    one.frames.inc(5)
    assert value(other, "frames_total") == 0
    assert isinstance(other.stages, StageMetrics)


@pytest.mark.parametrize(
    ("address", "expected"),
    [("9464", ("127.0.0.1", 9464)), ("10.0.0.1:1", ("10.0.0.1", 1)), ("[::1]:9464", ("::1", 9464))],
)
def test_an_address_without_a_host_is_loopback(address, expected):
    assert parsed_address(address) == expected


@pytest.mark.parametrize("address", ["here", "a:b", "127.0.0.1:70000", ""])
def test_a_bad_address_is_named(address):
    with pytest.raises(ValueError, match=r"--metrics-address .* is neither host:port nor a port"):
        parsed_address(address)


def test_serve_refuses_a_bad_address_before_anything_starts():
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, ["--metrics-address", "nowhere"])
    assert result.exit_code == 2
    assert "--metrics-address nowhere is neither host:port nor a port" in result.output


def test_a_taken_port_is_an_error_and_a_closed_page_frees_it():
    metrics = GatewayMetrics()
    with MetricsPage("0", metrics.registry) as page:
        address = page.url.removeprefix("http://").removesuffix("/metrics")
        with pytest.raises(OSError, match=f"cannot listen on {address} for metrics"):
            MetricsPage(address, metrics.registry)
    MetricsPage(address, metrics.registry).close()
