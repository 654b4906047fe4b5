"""The divergence watch on queues whose answer is known."""

import heapq

import numpy as np
import pytest

from framecast.bench.divergence import DivergenceRules, DivergenceWatch, State


def mm1(load: float, arrivals: int, seed: int) -> tuple[DivergenceWatch, int]:
    """Plays an M/M/1 queue into a watch; gives it and the number of arrivals until its verdict."""
    generator = np.random.default_rng(seed)
    times = np.cumsum(generator.exponential(1 / load, arrivals))
    service = generator.exponential(1.0, arrivals)
    watch, ends, free = DivergenceWatch(), [], 0.0
    for number, (now, seconds) in enumerate(zip(times, service, strict=True), 1):
        while ends and ends[0] <= now:
            heapq.heappop(ends)
            watch.ended()
        free = max(free, now) + seconds
        heapq.heappush(ends, free)
        if watch.arrived().state is not State.STEADY:
            return watch, number
    return watch, arrivals


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_a_stable_queue_is_steady(load: float) -> None:
    alarms = sum(mm1(load, 1000, seed)[0].verdict.state is not State.STEADY for seed in range(60))
    assert alarms <= 1


@pytest.mark.parametrize(("load", "within"), [(2.0, 250), (1.5, 600), (4.0, 120)])
def test_an_overloaded_queue_is_noticed(load: float, within: int) -> None:
    found = [mm1(load, within, seed)[0].verdict for seed in range(40)]
    assert sum(verdict.state is State.DIVERGING for verdict in found) >= 39
    assert "in flight" in found[0].reason


def test_refusals_are_noticed_though_nothing_piles_up() -> None:
    watch = DivergenceWatch()
    for number in range(24):
        state = watch.arrived().state
        watch.ended(refused=number % 4 == 0)
    assert state is State.REFUSING
    assert "refused" in watch.verdict.reason


def test_one_refusal_in_a_block_is_not_a_trend() -> None:
    watch = DivergenceWatch()
    for number in range(48):
        watch.arrived()
        watch.ended(refused=number % 12 == 0)
    assert watch.verdict.state is State.STEADY


def test_too_many_in_flight_is_divergence_whatever_the_trend() -> None:
    watch = DivergenceWatch(DivergenceRules(max_in_flight=5))
    states = [watch.arrived().state for _ in range(6)]
    assert states == [State.STEADY] * 5 + [State.DIVERGING]
    for _ in range(6):
        watch.ended()
    assert watch.arrived().state is State.DIVERGING  # a verdict stays


def test_a_server_that_is_gone_is_noticed() -> None:
    watch = DivergenceWatch()
    for number in range(24):
        watch.arrived()
        watch.ended(failed=number != 11)
        assert watch.verdict.state is (State.FAILING if number == 23 else State.STEADY), number
    assert "12 videos have failed" in watch.verdict.reason
