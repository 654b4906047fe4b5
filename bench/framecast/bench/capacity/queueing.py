"""Queues in closed form.

Sources: Erlang C for M/M/k (Erlang 1917); Allen–Cunneen for M/G/k, Wq ≈ (Ca² + Cs²) ÷ 2 · Wq(M/M/k) (Allen,
Probability, Statistics and Queueing Theory, 2nd ed., 5.2.8; exact for k = 1 with Poisson arrivals, where it is
Pollaczek–Khinchine); a birth–death chain where the rate of service depends on how many are served.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Occupancy:
    """A queue in its steady state.

    Attributes:
        probability: of n in the system, n = 0, 1, …, the last being full.
        places: how many are served at once.
        wait: mean wait of those who are let in, Allen–Cunneen's correction included, seconds.
        waiting: P(somebody who is let in must wait).
        refused: P(an arrival finds it full).
    """

    probability: NDArray[np.float64]
    places: int
    wait: float
    waiting: float
    refused: float


def occupancy(
    rate: float, service: Callable[[int], float], places: int, queue: int, *, ca2: float = 1.0, cs2: float = 1.0
) -> Occupancy:
    """M/G/k/k+queue whose service takes `service(n)` seconds while n are served: a birth–death chain, its mean wait
    corrected by (Ca² + Cs²) ÷ 2. With constant service and a long queue it is M/M/k and Allen–Cunneen.
    """
    number = places + queue
    deaths = np.array([min(n, places) / service(min(n, places)) for n in range(1, number + 1)])
    logs = np.concatenate([[0.0], np.cumsum(np.log(rate) - np.log(deaths))])
    chain = np.exp(logs - logs.max())
    chain /= chain.sum()
    let_in = 1 - float(chain[-1])
    queued = float(np.arange(queue + 1) @ chain[places:])
    wait = (ca2 + cs2) / 2 * queued / (rate * let_in) if let_in > 0 else math.inf
    waiting = float(chain[places:-1].sum()) / let_in if let_in > 0 else 1.0
    return Occupancy(chain, places, wait, waiting, float(chain[-1]))


@dataclass(frozen=True)
class Mixture:
    """A distribution of times: with `weights`, `offsets` seconds plus an exponential of `means` seconds (0: none)."""

    weights: NDArray[np.float64]
    offsets: NDArray[np.float64]
    means: NDArray[np.float64]

    def above(self, seconds: float) -> float:
        """P(longer than `seconds`)."""
        late = seconds - self.offsets
        safe = np.where(self.means > 0, self.means, 1.0)
        tail = np.where(self.means > 0, np.exp(-np.maximum(late, 0) / safe), (late < 0).astype(float))
        return float(self.weights @ np.where(late < 0, 1.0, tail))

    def quantile(self, p: float) -> float:
        """The time that a share `p` does not exceed."""
        low, high = 0.0, float(np.max(self.offsets + 60 * self.means)) + 1e-9
        for _ in range(80):
            middle = (low + high) / 2
            low, high = (middle, high) if self.above(middle) > 1 - p else (low, middle)
        return high

    @property
    def mean(self) -> float:
        """Seconds."""
        return float(self.weights @ (self.offsets + self.means))


def mixture(parts: Sequence[tuple[float, float, float]]) -> Mixture:
    """From (weight, offset, mean of the exponential); the weights are normalised."""
    weights, offsets, means = (np.array(column, float) for column in zip(*parts, strict=True))
    return Mixture(weights / weights.sum(), offsets, means)
