"""How many replicas a demand takes, what they cost and what energy a video takes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from framecast.bench.capacity.film import Film
from framecast.bench.capacity.predict import Prediction, predict
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
        prediction: of that fleet, or of `MOST` replicas.
        dollars_per_video, energy_per_video_j: of what is made, idle time included; None without prices.
    """

    replicas: int | None
    prediction: Prediction
    dollars_per_video: float | None = None
    energy_per_video_j: float | None = None


def plan(
    service: ServiceModel,
    replica: Replica,
    films: Sequence[Film],
    demand: Demand,
    price: Price | None = None,
    most: int = MOST,
) -> FleetPlan:
    """Bisects the number of replicas: more of them never make a video later."""
    rate, price = demand.videos_per_hour / 3600, price or Price()

    def serves(replicas: int) -> bool:
        found = predict(service, replica, films, rate, replicas)
        return (
            found.refused_rate <= demand.refused
            and (demand.latency_p95 is None or found.latency_p95 <= demand.latency_p95)
            and (demand.ttff_p95 is None or found.ttff_p95 <= demand.ttff_p95)
        )

    replicas = _fewest(serves, most)
    if replicas is None:
        return FleetPlan(None, predict(service, replica, films, rate, most))
    found = predict(
        service, replica, films, rate, replicas, latency_bound=demand.latency_p95, ttff_bound=demand.ttff_p95
    )
    dollars = replicas * price.dollars_per_hour / 3600 / found.throughput_qps if price.dollars_per_hour else None
    watts = replicas * (price.idle_watts + (price.busy_watts - price.idle_watts) * found.utilisation)
    return FleetPlan(replicas, found, dollars, watts / found.throughput_qps if price.busy_watts else None)


def _fewest(serves: Callable[[int], bool], most: int) -> int | None:
    """The smallest number that serves, by doubling and bisection."""
    high = 1
    while not serves(high):
        if high >= most:
            return None
        high = min(2 * high, most)
    low = high // 2 if high > 1 else 0  # does not serve
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if serves(middle) else (middle, high)
    return high
