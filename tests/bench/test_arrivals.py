"""Arrival processes against what defines them."""

import numpy as np
import pytest

from framecast.bench.arrivals import Bursts, bursty, constant, poisson, stretched


def test_poisson_gaps_are_exponential() -> None:
    gaps = np.diff(poisson(4.0, 20_000, seed=3), prepend=0.0)
    # The mean of n exponentials has the relative deviation 1 ÷ √n, their variance √8 ÷ √n: four of each.
    assert gaps.mean() == pytest.approx(0.25, rel=4 / len(gaps) ** 0.5)
    assert gaps.var() == pytest.approx(0.0625, rel=4 * (8 / len(gaps)) ** 0.5)
    # Kolmogorov–Smirnov: D · √n above 1.95 has a probability of 0.001.
    distances = np.abs(np.sort(1 - np.exp(-4 * gaps)) - (np.arange(len(gaps)) + 0.5) / len(gaps))
    assert distances.max() * len(gaps) ** 0.5 < 1.95


def test_poisson_counts_have_equal_mean_and_variance() -> None:
    times = poisson(10.0, 50_000, seed=1)
    counts = np.bincount(times.astype(int))[:-1]
    assert counts.var() / counts.mean() == pytest.approx(1.0, rel=4 * (2 / len(counts)) ** 0.5)


def test_seeds_repeat_and_differ() -> None:
    np.testing.assert_array_equal(poisson(1.0, 10, seed=5), poisson(1.0, 10, seed=5))
    assert not np.array_equal(poisson(1.0, 10, seed=5), poisson(1.0, 10, seed=6))


def test_stretching_keeps_the_pattern_and_sets_the_rate() -> None:
    times = poisson(0.2, 30, seed=1)
    assert times[-1] != pytest.approx(150.0, rel=0.001)
    found = stretched(times, 0.4)
    assert found[-1] == pytest.approx(75.0)
    np.testing.assert_allclose(found / found[-1], times / times[-1])
    np.testing.assert_allclose(stretched(constant(2.0, 9), 2.0), constant(2.0, 9))
    assert stretched(poisson(1.0, 1), 0.5).tolist() == [2.0]
    with pytest.raises(ValueError, match="above 0"):
        stretched(times, 0.0)


def test_constant_is_even() -> None:
    np.testing.assert_allclose(constant(4.0, 3), [0.25, 0.5, 0.75])


def test_bursts_keep_the_mean_rate_and_are_overdispersed() -> None:
    times = bursty(5.0, 100_000, Bursts(factor=10.0, seconds=5.0, share=0.1), seed=2)
    assert (np.diff(times) >= 0).all()
    assert len(times) / times[-1] == pytest.approx(5.0, rel=0.05)
    counts = np.bincount((times / 5).astype(int))
    assert counts.var() / counts.mean() > 5  # Poisson's is 1


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_a_rate_must_be_positive(rate: float) -> None:
    for make in (poisson, constant, bursty):
        with pytest.raises(ValueError, match="above 0"):
            make(rate, 1)


def test_bursts_must_make_sense() -> None:
    with pytest.raises(ValueError, match="share"):
        Bursts(share=1.0)
