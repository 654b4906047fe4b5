"""MLCommons LoadGen over a fake system, and over a real gateway."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from framecast.bench.cli import app
from framecast.bench.loadgen import LoadGenSettings, Scenario, parse_summary, run_loadgen
from framecast.bench.workload import Ask, Workload
from framecast.client import Accepted, Chunk, Done, Event, Stats, Unavailable, VideoOptions

pytest.importorskip("mlperf_loadgen")


class Instant:
    """Makes two chunks of eight frames at once; fails every `failing`-th video."""

    def __init__(self, failing: int = 0) -> None:
        self.asked: list[Ask] = []
        self._failing = failing

    async def __call__(self, ask: Ask) -> AsyncGenerator[Event, None]:
        self.asked.append(ask)
        if self._failing and len(self.asked) % self._failing == 0:
            raise Unavailable("gone")
        yield Accepted("video", VideoOptions(fps=8), 0.0)
        yield Chunk(0, 0, 0, 8, True, b"x", "video/mp4")
        yield Chunk(1, 0, 8, 8, True, b"x", "video/mp4")
        yield Done(Stats(1, 1, 2, 16, 2, 0.0, 0.0, {"denoise": 0.001}))


def _settings(scenario: Scenario, queries: int) -> LoadGenSettings:
    return LoadGenSettings(scenario, queries, request_rate=2000.0)


def test_single_stream_asks_one_after_the_other(workload: Workload) -> None:
    server = Instant()
    run = run_loadgen(workload, server, _settings(Scenario.SINGLE_STREAM, 64))
    assert run.valid  # 64 is what LoadGen's early stopping takes for p90
    assert run.summary["Scenario"] == "SingleStream"
    assert len(run.samples) == 64
    assert all(one.ended <= two.sent for one, two in zip(run.samples, run.samples[1:], strict=False))
    assert float(run.summary["Mean First Token latency (ns)"]) <= float(run.summary["Mean latency (ns)"])
    assert len({ask.options.seed for ask in server.asked}) > 32  # different videos, not one again and again


@pytest.mark.parametrize(("queries", "valid"), [(459, True), (458, False)])
def test_server_wants_459_queries_for_p99(workload: Workload, queries: int, valid: bool) -> None:
    run = run_loadgen(workload, Instant(), _settings(Scenario.SERVER, queries))
    assert len(run.samples) == queries
    assert run.summary["Performance constraints satisfied"] == "Yes"
    assert run.valid == valid


def test_offline_asks_for_everything_at_once(workload: Workload) -> None:
    run = run_loadgen(workload, Instant(), _settings(Scenario.OFFLINE, 50))
    assert run.valid
    assert int(run.summary["samples_per_query"]) == len(run.samples) == 50
    assert float(run.summary["Tokens per second"]) == pytest.approx(
        16 * float(run.summary["Samples per second"]), rel=1e-3
    )


def test_a_failed_video_makes_the_run_invalid_and_does_not_hang(workload: Workload) -> None:
    run = run_loadgen(workload, Instant(failing=10), _settings(Scenario.OFFLINE, 40))
    assert run.summary["Result is"] == "VALID"  # LoadGen knows no failures
    assert not run.valid
    assert sum(sample.error == "Unavailable" for sample in run.samples) == 4


def test_a_summary_is_read_line_by_line() -> None:
    assert parse_summary("====\nScenario : Server\nTTFT Early Stopping Result:\n * ok\nx: 1:2\n") == {
        "Scenario": "Server",
        "TTFT Early Stopping Result": "",
        "x": "1:2",
    }


def test_the_command(gateway: str, tmp_path: Path) -> None:
    arguments = ["loadgen", "--scenario", "Offline", "--scene", "a kitten", "--address", gateway, "--num-prompts", "12"]
    result = CliRunner().invoke(app, [*arguments, "--output-file", str(tmp_path / "loadgen.json")])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["results"]["valid"] is True
    assert found["results"]["completed_requests"] == 12
    assert found["results"]["loadgen"]["Scenario"] == "Offline"
