"""A ratio of medians with its spread."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


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
        ValueError: sides of different length, or a side whose rounds have no values or not all as many.
    """
    counts = [{len(values) for values in side} for side in (above, below)]
    if len(above) != len(below) or any(len(each) != 1 or each == {0} for each in counts):
        raise ValueError("a ratio needs as many rounds on both sides, with as many values in each")
    over, under = np.asarray(above, float), np.asarray(below, float)  # [rounds, values]
    value, rounds = float(np.median(over) / np.median(under)), len(over)
    if rounds < 3:
        return Ratio(value, None, None, rounds)
    generator = np.random.default_rng(seed)
    drawn = generator.integers(0, rounds, (draws, rounds, 1))
    found = _medians(over, drawn, generator) / _medians(under, drawn, generator)
    low, high = np.quantile(found, (0.025, 0.975))
    return Ratio(value, float(low), float(high), rounds)


def _medians(side: Values, rounds: NDArray[np.int64], generator: np.random.Generator) -> Values:
    """[draws]: of the values drawn, with replacement, from the rounds drawn, [draws, rounds, 1]."""
    number = side.shape[1]
    which = generator.integers(0, number, (*rounds.shape[:2], number)) if number > 1 else np.zeros((1, 1, 1), int)
    medians: Values = np.median(side[rounds, which], axis=(1, 2))
    return medians
