"""From a light load to the knee: the highest rate at which the server keeps up."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from framecast.bench.divergence import State
from framecast.bench.summary import keeps_up


@dataclass(frozen=True)
class SweepRules:
    """How the knee is looked for.

    Attributes:
        start: the first rate, videos a second.
        factor: between rates, until one is too much.
        bisections: of the last step; each halves the uncertainty.
        attainment: the share of videos that must meet the objective.
        most: rates tried before the knee counts as out of reach.
    """

    start: float = 0.1
    factor: float = 1.6
    bisections: int = 2
    attainment: float = 0.95
    most: int = 16

    def __post_init__(self) -> None:
        if not (self.start > 0 and self.factor > 1 and self.most > 0):
            raise ValueError("a sweep starts above 0 and grows by a factor above 1")


@dataclass(frozen=True)
class Sweep:
    """What a sweep found.

    Attributes:
        points: results by rate, ascending; each has `request_rate` and `keeps_up`.
        knee: the highest rate that was kept up with, videos a second; None: not even the first.
        beyond: the lowest rate that was too much; None: none was.
    """

    points: tuple[dict[str, Any], ...]
    knee: float | None
    beyond: float | None


async def sweep(load: Callable[[float], Awaitable[dict[str, Any]]], rules: SweepRules | None = None) -> Sweep:
    """Runs `load` (rate → figures of `summary`) at rising rates, then between the last two."""
    rules = rules or SweepRules()
    points: dict[float, dict[str, Any]] = {}
    knee: float | None = None
    beyond: float | None = None

    async def kept(rate: float) -> bool | None:
        """Whether the server kept up; None: the load was broken off."""
        results = await load(rate)
        good = keeps_up(results, rules.attainment)
        points[rate] = {"request_rate": rate, "keeps_up": good, **results}
        return None if results["state"] == State.INTERRUPTED.value else good

    rate = rules.start
    for _ in range(rules.most):
        good = await kept(rate)
        if good is None:
            break
        if not good:
            beyond = rate
            break
        knee, rate = rate, rate * rules.factor
    for _ in range(rules.bisections if knee and beyond else 0):
        middle = (knee * beyond) ** 0.5 if knee and beyond else rate
        good = await kept(middle)
        if good is None:
            break
        if good:
            knee = middle
        else:
            beyond = middle
    return Sweep(tuple(points[rate] for rate in sorted(points)), knee, beyond)
