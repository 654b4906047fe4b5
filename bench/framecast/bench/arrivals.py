"""When videos are asked for: seconds from the start of a run, ascending.

Schedules are fixed before the run begins, so a slow server cannot slow the questions down (no coordinated omission).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]


def poisson(rate: float, count: int, seed: int = 0) -> Times:
    """`count` arrivals of a Poisson process, `rate` a second: independent callers.

    Raises:
        ValueError: the rate is not positive.
    """
    _check(rate)
    return np.cumsum(np.random.default_rng(seed).exponential(1 / rate, count))


def constant(rate: float, count: int) -> Times:
    """`count` arrivals at even distances, `rate` a second. Raises ValueError when the rate is not positive."""
    _check(rate)
    return (1 + np.arange(count, dtype=np.float64)) / rate


def stretched(times: Times, rate: float) -> Times:
    """The same pattern with its n-th and last arrival at n ÷ `rate` seconds: the luck of few draws does not move the
    rate. Raises ValueError when the rate is not positive.
    """
    _check(rate)
    return times * (len(times) / rate / float(times[-1]))


@dataclass(frozen=True)
class Bursts:
    """A two-state Markov-modulated Poisson process: calm and burst.

    Attributes:
        factor: rate in a burst ÷ rate in the calm.
        seconds: mean length of a burst.
        share: of the time that is a burst, in (0, 1).
    """

    factor: float = 8.0
    seconds: float = 30.0
    share: float = 0.1

    def __post_init__(self) -> None:
        if not (self.factor > 0 and self.seconds > 0 and 0 < self.share < 1):
            raise ValueError("bursts need a positive factor and length, and a share between 0 and 1")


def bursty(rate: float, count: int, bursts: Bursts | None = None, seed: int = 0) -> Times:
    """`count` arrivals with bursts whose long-run mean is `rate` a second.

    Raises:
        ValueError: the rate is not positive.
    """
    _check(rate)
    bursts, generator = bursts or Bursts(), np.random.default_rng(seed)
    calm = rate / (1 - bursts.share + bursts.share * bursts.factor)
    lengths = (bursts.seconds * (1 - bursts.share) / bursts.share, bursts.seconds)
    parts: list[Times] = []
    now, state, found = 0.0, int(generator.random() < bursts.share), 0
    while found < count:
        length = generator.exponential(lengths[state])
        number = generator.poisson(length * (calm, calm * bursts.factor)[state])
        parts.append(now + np.sort(generator.random(number)) * length)
        now, state, found = now + length, 1 - state, found + number
    return np.concatenate(parts)[:count]


def _check(rate: float) -> None:
    if not rate > 0:
        raise ValueError(f"the request rate must be above 0, not {rate:g}")
