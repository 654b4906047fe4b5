"""Loads on a virtual clock."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from framecast.bench.arrivals import constant, poisson, stretched
from framecast.bench.demand import read_trace
from framecast.bench.divergence import State
from framecast.bench.interrupt import Interrupt
from framecast.bench.load import UNFINISHED, LoadLimits, closed_loop, open_loop
from framecast.bench.percentiles import percentile
from framecast.bench.slo import Slo
from framecast.bench.summary import keeps_up, summary
from framecast.bench.sweep import SweepRules, sweep
from framecast.bench.workload import Workload
from framecast.client import Overloaded, Scene, Unavailable, VideoOptions


def test_an_open_loop_asks_on_time_and_measures_the_queue(virtually: Any, fake: Any, workload: Workload) -> None:
    server = fake(2.0)
    run = virtually(open_loop(server.generate, workload, [1.0, 2.0, 3.5]))
    assert [sample.sent for sample in run.samples] == pytest.approx([1.0, 2.0, 3.5])
    assert [sample.latency for sample in run.samples] == pytest.approx([2.0, 3.0, 3.5])
    assert [sample.ttff for sample in run.samples] == pytest.approx([1.0, 2.0, 2.5])
    assert [sample.queue for sample in run.samples] == pytest.approx([0.0, 1.0, 1.5])
    assert [sample.wire for sample in run.samples] == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)
    assert run.samples[0].overhead == pytest.approx(2.0 / 1.6)
    assert run.samples[0].rtf == pytest.approx(1.0)
    assert run.duration == pytest.approx(6.0)
    # Ends at 3, 5 and 7 s.
    assert [number for _, number in run.in_flight] == [1, 2, 1, 2, 1, 0]
    assert [at for at, _ in run.in_flight] == pytest.approx([1.0, 2.0, 3.0, 3.5, 5.0, 7.0])
    assert [ask.options.seed for ask in server.asked] == [1, 2, 3]


def test_a_stall_shows_in_the_percentiles_of_an_open_loop(virtually: Any, fake: Any, workload: Workload) -> None:
    """Coordinated omission: with one video at a time, a server that stalls for 20 of 120 s delays every video that
    was due meanwhile. A measurement that only counts from the sending sees a single slow video.
    """
    server = fake(0.1)
    server.stall = (50.0, 70.0)
    run = virtually(open_loop(server.generate, workload, constant(5.0, 600).tolist(), LoadLimits(1, stop=False)))
    honest = [sample.latency for sample in run.samples]
    naive = [sample.ended - sample.sent for sample in run.samples]
    assert sum(latency > 1 for latency in naive) == 1
    # Half of the capacity is used, so the queue of 100 takes about 20 s more to go: 190 videos are later than 1 s.
    assert 150 < sum(latency > 1 for latency in honest) < 220
    p99, wrong = percentile(honest, 0.99).value, percentile(naive, 0.99).value
    assert p99 is not None
    assert wrong is not None
    assert 19 < p99 <= 20.2
    assert wrong < 0.2
    assert summary(run)["send_lag_ms_max"] > 15_000


def test_a_closed_loop_waits_for_its_videos(virtually: Any, fake: Any, workload: Workload) -> None:
    run = virtually(closed_loop(fake(2.0, 2).generate, workload, 5, 2))
    assert [sample.sent for sample in run.samples] == pytest.approx([0, 0, 2, 2, 4])
    assert [sample.index for sample in run.samples] == [0, 1, 2, 3, 4]
    assert max(number for _, number in run.in_flight) == 2
    assert run.in_flight[-1] == (pytest.approx(6.0), 0)
    assert run.duration == pytest.approx(6.0)


def test_callers_who_are_refused_do_not_ask_for_all_the_rest(virtually: Any, fake: Any, workload: Workload) -> None:
    """Two places, 20 callers, 200 videos: the refused would be gone in a moment, and the result be one of nobody."""
    server = fake(2.0, 2)
    server.fail = {number: Overloaded("full") for number in range(2, 200)}
    run = virtually(closed_loop(server.generate, workload, 200, 20))
    assert run.verdict.state is State.REFUSING
    assert "of the last 12 videos were refused" in run.verdict.reason
    assert len(run.samples) < 60
    assert run.planned == 200
    assert sum(not sample.error for sample in run.samples) == 2


def test_failures_are_counted_and_miss_the_objective(virtually: Any, fake: Any, workload: Workload) -> None:
    server = fake(1.0, 10)
    server.fail = {1: Unavailable("gone"), 2: Overloaded("full")}
    results = summary(virtually(open_loop(server.generate, workload, [1.0, 2.0, 3.0, 4.0])), Slo(latency=1.5))
    assert (results["completed_requests"], results["failed_requests"], results["refused_requests"]) == (2, 2, 1)
    assert results["slo_attainment_rate"] == 0.5
    assert results["goodput_qps"] == pytest.approx(2 / 4)
    assert results["throughput_qps"] == pytest.approx(2 / 4)
    assert not keeps_up(results, 0.0)


def test_a_load_beyond_the_server_is_stopped(virtually: Any, fake: Any, workload: Workload) -> None:
    times = poisson(3.0, 2000).tolist()
    run = virtually(open_loop(fake(1.0).generate, workload, times, LoadLimits(drain=5.0)))
    results = summary(run)
    assert run.verdict.state is State.DIVERGING
    assert results["state"] == "diverging"
    assert results["unsent_requests"] > 1500
    left = [sample for sample in run.samples if sample.error == UNFINISHED]
    assert len(left) == results["failed_requests"] > 0


def test_a_bug_in_the_load_is_not_a_failed_video(virtually: Any, workload: Workload) -> None:
    async def broken(ask: object) -> Any:
        raise ZeroDivisionError
        yield

    with pytest.raises(ZeroDivisionError):
        virtually(open_loop(broken, workload, [0.0]))


def test_the_sweep_finds_the_knee(virtually: Any, fake: Any, workload: Workload) -> None:
    async def load(rate: float) -> dict[str, Any]:
        run = await open_loop(fake(1.0).generate, workload, constant(rate, 300).tolist(), LoadLimits(drain=20.0))
        return summary(run, Slo(latency=5.0))

    found = virtually(sweep(load, SweepRules(0.3, 1.5, bisections=3)))
    assert found.knee is not None
    assert found.beyond is not None
    # One server of 1 s makes 1 a second; of 300 videos at a rate r the last is 300 (1 - 1 ÷ r) s late, and 95 % may
    # be at most 4 s late: 1.014 a second.
    assert found.knee <= 1.0142 <= found.beyond < 1.1 * found.knee
    assert [point["request_rate"] for point in found.points] == sorted(p["request_rate"] for p in found.points)
    assert [point["keeps_up"] for point in found.points] == [p["request_rate"] <= found.knee for p in found.points]


@pytest.mark.parametrize("videos", [30, 60])
def test_a_short_load_shows_that_it_falls_behind(virtually: Any, fake: Any, workload: Workload, videos: int) -> None:
    """1.3 videos a second are too many for one a second, long before divergence is certain."""

    def loaded(rate: float) -> dict[str, Any]:
        times = stretched(poisson(rate, videos), rate)
        return summary(virtually(open_loop(fake(1.0).generate, workload, times.tolist())))

    light, heavy = loaded(0.5), loaded(1.3)
    assert light["state"] == heavy["state"] == "steady"
    assert light["offered_qps"] == pytest.approx(0.5, rel=0.1)
    assert light["pace"] > 0.95
    assert keeps_up(light, 0.95)
    # The last of n videos is ready n seconds after the first arrival, when n / 1.3 of arrivals are over.
    assert heavy["pace"] == pytest.approx(1 / 1.3, abs=0.04)
    assert not keeps_up(heavy, 0.95)


def test_a_sweep_may_find_no_knee(virtually: Any) -> None:
    async def never(rate: float) -> dict[str, Any]:
        return {"state": "refusing", "failed_requests": 9, "completed_requests": 1}

    async def always(rate: float) -> dict[str, Any]:
        return {"state": "steady", "failed_requests": 0, "completed_requests": 1}

    assert virtually(sweep(never)).knee is None
    found = virtually(sweep(always, SweepRules(1.0, 2.0, most=3)))
    assert (found.knee, found.beyond) == (4.0, None)
    with pytest.raises(ValueError, match="above 1"):
        SweepRules(factor=1.0)


def test_percentiles_without_samples_are_refused_by_name(virtually: Any, fake: Any, workload: Workload) -> None:
    results = summary(virtually(closed_loop(fake(1.0).generate, workload, 20, 1)))
    assert results["latency_median"] == pytest.approx(1.0)
    assert results["latency_p50"] == pytest.approx(1.0)
    assert results["latency_p99"] is None
    assert results["refused_figures"]["latency_p99"] == "20 samples, 459 needed"
    assert results["stages_not_reported"] == ["plan", "decode", "review", "encode", "mux"]
    assert results["stage_durations_p50"]["denoise"] == pytest.approx(0.7)
    json.dumps(results, allow_nan=False)


def test_slos_are_read_strictly() -> None:
    assert Slo.parse("ttff=2, latency=10") == Slo(ttff=2.0, latency=10.0)
    assert not Slo.parse("")
    with pytest.raises(ValueError, match="'speed' is none of ttff"):
        Slo.parse("speed=1")
    with pytest.raises(ValueError, match="NAME=NUMBER"):
        Slo.parse("ttff=fast")


def test_a_trace_is_replayed(tmp_path: Path, virtually: Any, fake: Any) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text(
        '{"at": 0.5, "scenes": [{"prompt": "a kitten", "seconds": 2}]}\n\n{"at": 3, "story": "Once.", "steps": 4}\n'
    )
    times, workload = read_trace(path, VideoOptions(width=64))
    server = fake(1.0)
    run = virtually(open_loop(server.generate, workload, times.tolist()))
    assert [sample.sent for sample in run.samples] == [0.5, 3.0]
    assert server.asked[0].scenes == (Scene("a kitten", 2.0),)
    assert (server.asked[1].story, server.asked[1].options.steps, server.asked[1].options.width) == ("Once.", 4, 64)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ('{"at": 1}', "either story or scenes"),
        ('{"story": "x"}', "at"),
        ("hello", "Expecting"),
        ('{"at": 2, "story": "x"}\n{"at": 1, "story": "x"}', "ascend"),
        ("", "ascend"),
    ],
)
def test_a_broken_trace_is_named(tmp_path: Path, line: str, wrong: str) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text(line)
    with pytest.raises(ValueError, match=wrong):
        read_trace(path, VideoOptions())


def test_the_virtual_clock_notices_a_deadlock(virtually: Any) -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(AssertionError, match="deadlock"):
        virtually(wait())


@pytest.mark.parametrize("closed", [True, False])
def test_a_load_that_is_broken_off_keeps_what_has_ended(
    virtually: Any, fake: Any, workload: Workload, closed: bool
) -> None:
    async def broken_off() -> Any:
        stop = Interrupt()
        asyncio.get_running_loop().call_later(5.0, stop.ask)
        if closed:
            return await closed_loop(fake(2.0).generate, workload, 9, 1, interrupt=stop)
        return await open_loop(fake(2.0).generate, workload, [0.0, 2.0, 4.0, 6.0, 8.0], interrupt=stop)

    run = virtually(broken_off())
    assert [(sample.index, sample.error) for sample in run.samples] == [(0, ""), (1, "")]
    assert run.verdict.state is State.INTERRUPTED
    found = summary(run)
    assert (found["state"], found["completed_requests"], found["failed_requests"]) == ("interrupted", 2, 0)
    assert not keeps_up(found, 0.0)


def test_a_sweep_that_is_broken_off_knows_the_knee_so_far(virtually: Any) -> None:
    async def load(rate: float) -> dict[str, Any]:
        state = "interrupted" if rate > 2 else "steady"
        return {"state": state, "failed_requests": 0, "completed_requests": 5}

    found = virtually(sweep(load, SweepRules(1.0, 1.5)))
    assert (found.knee, found.beyond) == (1.5, None)
    assert [point["request_rate"] for point in found.points] == [1.0, 1.5, 2.25]
