"""Percentiles that say how far they can be trusted, and refuse when they cannot.

Everything here is distribution free: how many of n independent samples lie below the p-quantile is binomial, so order
statistics bound it (David & Nagaraja, Order Statistics, 3rd ed., 7.1; MLPerf LoadGen's early stopping is the same
arithmetic).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SURE = 0.99  # confidence below which a percentile is refused; LoadGen's
INTERVAL = 0.95  # confidence of the intervals that are reported


@dataclass(frozen=True)
class Percentile:
    """An estimate of the p-quantile.

    Attributes:
        p: in (0, 1).
        samples: how many there were.
        needed: how many it takes.
        value: the estimate; None when there are fewer than that.
        low, high: a two-sided `INTERVAL` confidence interval, None likewise or where no order statistic bounds it.
    """

    p: float
    samples: int
    needed: int
    value: float | None
    low: float | None
    high: float | None

    @property
    def refusal(self) -> str:
        """Why there is no value; empty when there is one."""
        return "" if self.value is not None else f"{self.samples} samples, {self.needed} needed"


def _binomial_cdf(count: int, p: float) -> NDArray[np.float64]:
    """P(Binomial(count, p) ≤ k) for k = 0 … count."""
    k = np.arange(count + 1)
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    logs = factorials[-1] - factorials - factorials[::-1] + k * math.log(p) + (count - k) * math.log1p(-p)
    cdf: NDArray[np.float64] = np.cumsum(np.exp(logs))
    return cdf


def needed(p: float, *, spare: int = 0, confidence: float = SURE) -> int:
    """The fewest samples with which, at `confidence`, more than `spare` of them lie above the p-quantile.

    With `spare` 0 the largest sample bounds the quantile: 459 for p99, LoadGen's Server rule. With 1 the second
    largest does: 64 for p90 and 662 for p99, LoadGen's SingleStream rule, where the estimate itself is reported.
    """
    count = spare + 1
    while _binomial_cdf(count, 1 - p)[spare] > 1 - confidence:
        count += 1
    return count


#: What each percentile of the reports takes.
NEEDED = {0.5: needed(0.5), 0.9: needed(0.9, spare=1), 0.95: needed(0.95), 0.99: needed(0.99)}


def percentile(values: Sequence[float], p: float) -> Percentile:
    """The nearest-rank p-quantile of `values` with its interval, or a refusal."""
    count = len(values)
    enough = NEEDED[p] if p in NEEDED else needed(p)
    if count < enough:
        return Percentile(p, count, enough, None, None, None)
    ordered = sorted(values)
    low, high = interval_ranks(count, p)
    return Percentile(
        p,
        count,
        enough,
        ordered[rank(count, p) - 1],
        ordered[low - 1] if low else None,
        ordered[high - 1] if high else None,
    )


def rank(count: int, p: float) -> int:
    """The nearest rank, counted from 1: the smallest r with r ÷ count ≥ p."""
    return max(1, math.ceil(count * p - 1e-9))


def interval_ranks(count: int, p: float, confidence: float = INTERVAL) -> tuple[int, int]:
    """Ranks (from 1) of the order statistics that enclose the p-quantile with at least `confidence`; 0: none does."""
    below, tail = _binomial_cdf(count, p), (1 - confidence) / 2  # below[r - 1] = P(the quantile < X(r)) or more
    low = int(np.searchsorted(below, tail, side="right"))  # P(X(low) > quantile) = below[low - 1] ≤ tail
    high = int(np.searchsorted(below, 1 - tail, side="left")) + 1
    return low, (high if high <= count else 0)


def effective_samples(values: Sequence[float]) -> float:
    """How many independent samples `values`, in the order they came, are worth for their mean.

    From the lag-one autocorrelation r: n · (1 - r) ÷ (1 + r), never above n. Latencies under load are correlated; the
    percentiles' intervals assume they are not, so a number well below n says that they are too narrow.
    """
    array = np.asarray(values, np.float64)
    if len(array) < 3:
        return float(len(array))
    centred = array - array.mean()
    variance = float(centred @ centred)
    correlation = float(centred[1:] @ centred[:-1]) / variance if variance else 0.0
    return len(array) * (1 - max(0.0, correlation)) / (1 + max(0.0, correlation))
