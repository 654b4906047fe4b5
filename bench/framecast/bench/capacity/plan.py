"""How many replicas a demand takes, what they cost and what energy a video takes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from framecast.bench.capacity.film import Film
from framecast.bench.capacity.judge import Judged, judge
from framecast.bench.capacity.predict import Prediction, capacity, predict
from framecast.bench.capacity.service import Replica, ServiceModel

MOST = 1_000_000
"""Replicas that are tried."""


@dataclass(frozen=True)
class Price:
    """What one replica costs to run; 0: not known.

    Attributes:
        dollars_per_hour: of the machine.
        idle_watts, busy_watts: power at rest and at work.
    """

    dollars_per_hour: float = 0.0
    idle_watts: float = 0.0
    busy_watts: float = 0.0

    def __post_init__(self) -> None:
        if self.busy_watts < self.idle_watts:
            raise ValueError(
                f"--busy-watts: {self.busy_watts:g} is less than at rest, {self.idle_watts:g}; give both of a replica"
            )


@dataclass(frozen=True)
class Demand:
    """What must be served.

    Attributes:
        videos_per_hour: Poisson arrivals.
        latency_p95, ttff_p95: bounds in seconds; None: none.
        refused: the largest share that may be turned away.
    """

    videos_per_hour: float
    latency_p95: float | None = None
    ttff_p95: float | None = None
    refused: float = 0.01


@dataclass(frozen=True)
class FleetPlan:
    """The smallest fleet that serves a demand.

    Attributes:
        replicas: how many; None: no number up to `MOST` does.
        prediction: of that fleet by the formula, or of `MOST` replicas.
        simulated: what decided: that fleet, played.
        dollars_per_video, energy_per_video_j: of what is made, idle time included; None without prices.
    """

    replicas: int | None
    prediction: Prediction
    simulated: Judged
    dollars_per_video: float | None = None
    energy_per_video_j: float | None = None


Judge = Callable[[int], Judged]
"""What is to be said of so many replicas."""


def plan(
    service: ServiceModel,
    replica: Replica,
    films: Sequence[Film],
    demand: Demand,
    price: Price | None = None,
    most: int = MOST,
    judged: Judge | None = None,
) -> FleetPlan:
    """The formula says where to look, and simulations which number it is.

    Args:
        service, replica, films: what serves what.
        demand, price: see there.
        most: replicas that are tried.
        judged: plays a fleet; left out, `judge` with its defaults.
    """
    rate, price = demand.videos_per_hour / 3600, price or Price()
    played = cache(judged or partial(judge, service, replica, films, rate))
    bounds: Any = {"latency_bound": demand.latency_p95, "ttff_bound": demand.ttff_p95}
    if not demand.refused:  # in any fleet all may come at once
        return FleetPlan(None, predict(service, replica, films, rate, most), played(most))

    def expected(replicas: int) -> bool:
        found = predict(service, replica, films, rate, replicas)
        return _keeps(demand, found.refused_rate, found.latency_p95, found.ttff_p95)

    def serves(replicas: int) -> bool:
        found = played(replicas)
        return _keeps(demand, found.refused_rate, found.latency_p95, found.ttff_p95)

    start = _fewest(expected, most) or math.ceil(rate / capacity(service, replica, films))
    replicas = _nearest(serves, min(start, most), most) if serves(most) else None
    if replicas is None:
        return FleetPlan(None, predict(service, replica, films, rate, most), played(most))
    found, simulated = predict(service, replica, films, rate, replicas, **bounds), played(replicas)
    made = rate * (1 - simulated.refused_rate)
    dollars = replicas * price.dollars_per_hour / 3600 / made if price.dollars_per_hour else None
    watts = replicas * (price.idle_watts + (price.busy_watts - price.idle_watts) * simulated.busy)
    return FleetPlan(replicas, found, simulated, dollars, watts / made if price.busy_watts else None)


def _keeps(demand: Demand, refused: float, latency: float | None, ttff: float | None) -> bool:
    return refused <= demand.refused and all(
        bound is None or (found is not None and found <= bound)
        for found, bound in ((latency, demand.latency_p95), (ttff, demand.ttff_p95))
    )


def _fewest(serves: Callable[[int], bool], most: int) -> int | None:
    """The smallest number that serves, by doubling and bisection."""
    low, high = 0, 1
    while not serves(high):
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    return _bisected(serves, low, high)


def _nearest(serves: Callable[[int], bool], start: int, most: int) -> int:
    """The smallest number that serves, to two parts in a hundred, by steps of a quarter from `start` and bisection.

    `most` serves. Each question takes seconds, and between numbers that are nearer other draws would answer otherwise.
    """
    low, high, number = 0, most, start
    while low < number < high:
        if serves(number):
            high, number = number, 4 * number // 5
        else:
            low, number = number, max(number + 1, 5 * number // 4)
    return _bisected(serves, low, high, share=0.02)


def _bisected(serves: Callable[[int], bool], low: int, high: int, share: float = 0.0) -> int:
    """A number that serves, at most `share` of it above one that does not; `low` does not, or is 0, and `high` does."""
    while high - low > max(1, share * high):
        middle = (low + high) // 2
        low, high = (low, middle) if serves(middle) else (middle, high)
    return high
