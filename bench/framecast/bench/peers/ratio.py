"""A ratio of medians with its spread."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Ratio:
    """Median of one side ÷ median of the other.

    Attributes:
        value: over all rounds.
        low, high: 95 % bootstrap interval; None with fewer than three rounds.
        rounds: how many.
    """

    value: float
    low: float | None
    high: float | None
    rounds: int


def ratio(
    above: Sequence[Sequence[float]], below: Sequence[Sequence[float]], draws: int = 4000, seed: int = 0
) -> Ratio:
    """The ratio of two interleaved series, a list of values a round.

    The bootstrap draws whole rounds, then values within them (Davison & Hinkley, Bootstrap Methods and their
    Application, 3.8): what slows a round down slows both sides, and values of one round are not independent.

    Raises:
        ValueError: no rounds, a round without values, or sides of different length.
    """
    if not above or len(above) != len(below) or not all(map(len, [*above, *below])):
        raise ValueError("a ratio needs as many rounds on both sides, and values in each")
    over, under = ([np.asarray(values, float) for values in side] for side in (above, below))
    value = float(np.median(np.concatenate(over)) / np.median(np.concatenate(under)))
    if len(over) < 3:
        return Ratio(value, None, None, len(over))
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        rounds = generator.integers(0, len(over), len(over))
        tops, bottoms = ([_drawn(side[index], generator) for index in rounds] for side in (over, under))
        found.append(np.median(np.concatenate(tops)) / np.median(np.concatenate(bottoms)))
    low, high = np.quantile(found, (0.025, 0.975))
    return Ratio(value, float(low), float(high), len(over))


def _drawn(values: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    return values if len(values) == 1 else generator.choice(values, len(values))
