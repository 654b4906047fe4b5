"""Percentiles against MLPerf's figures, brute force and simulation."""

from math import comb

import numpy as np
import pytest

from framecast.bench.percentiles import NEEDED, effective_samples, interval_ranks, needed, percentile, rank


@pytest.mark.parametrize(
    ("p", "spare", "count"),
    [(0.99, 0, 459), (0.9, 1, 64), (0.99, 1, 662), (0.95, 0, 90), (0.5, 0, 7)],  # the first three are LoadGen's
)
def test_needed_samples(p: float, spare: int, count: int) -> None:
    def unsure(n: int) -> float:
        return sum(comb(n, k) * (1 - p) ** k * p ** (n - k) for k in range(spare + 1))

    assert needed(p, spare=spare) == count
    assert unsure(count) <= 0.01 < unsure(count - 1)


@pytest.mark.parametrize("p", list(NEEDED))
def test_too_few_samples_are_refused(p: float) -> None:
    few = percentile([1.0] * (NEEDED[p] - 1), p)
    assert few.value is None
    assert few.refusal == f"{NEEDED[p] - 1} samples, {NEEDED[p]} needed"
    assert percentile([1.0] * NEEDED[p], p).value == 1.0
    assert not percentile([1.0] * NEEDED[p], p).refusal


def test_the_nearest_rank_is_taken() -> None:
    found = percentile([float(i) for i in range(100, 0, -1)], 0.9)
    assert found.value == 90.0
    assert [rank(10, p) for p in (0.05, 0.1, 0.9, 0.91)] == [1, 1, 9, 10]


@pytest.mark.parametrize(("count", "p"), [(100, 0.5), (500, 0.95), (1000, 0.99), (120, 0.9)])
def test_intervals_cover_the_true_quantile(count: int, p: float) -> None:
    low, high = interval_ranks(count, p)
    assert 0 < low < high <= count
    samples = np.sort(np.random.default_rng(0).random((4000, count)), axis=1)  # the p-quantile of these is p
    covered = ((samples[:, low - 1] <= p) & (p <= samples[:, high - 1])).mean()
    assert covered > 0.95 - 4 * (0.95 * 0.05 / 4000) ** 0.5
    # One rank less on either side would cover too little, or the interval would be wasteful.
    narrower = ((samples[:, low] <= p) & (p <= samples[:, high - 2])).mean()
    assert narrower < 0.96


def test_an_interval_that_no_sample_bounds_is_open() -> None:
    low, high = interval_ranks(200, 0.99)
    assert high == 0
    assert low > 0


def test_correlated_samples_are_worth_less() -> None:
    generator = np.random.default_rng(0)
    white = generator.normal(size=20_000)
    walk = np.empty_like(white)
    walk[0] = white[0]
    for i in range(1, len(white)):  # AR(1), r = 0.8: worth (1 - r) ÷ (1 + r) = 1 ÷ 9 each
        walk[i] = 0.8 * walk[i - 1] + 0.6 * white[i]
    assert effective_samples(white.tolist()) == pytest.approx(20_000, rel=0.03)
    assert effective_samples(walk.tolist()) == pytest.approx(20_000 / 9, rel=0.15)
    assert effective_samples([1.0, 1.0]) == 2
    assert effective_samples([1.0, 1.0, 1.0]) == 3
