"""What a simulation is given, and what it gives."""

from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from framecast.bench.capacity.service import Replica, ServiceModel


class Routing(str, Enum):
    """Which replica takes a video: any; the next in turn; the emptier of two drawn (Mitzenmacher 2001)."""

    RANDOM = "random"
    ROUND_ROBIN = "round-robin"
    TWO_CHOICES = "two-choices"


@dataclass(frozen=True)
class Failure:
    """At `at` seconds the denoiser of a replica dies and is back after `repair` seconds."""

    at: float
    replica: int
    repair: float = 2.0


@dataclass(frozen=True)
class Fleet:
    """What is simulated.

    Attributes:
        service: what the stages cost.
        replica: one server's limits.
        replicas: how many there are.
        routing: who takes a video.
        failures: of denoisers.
        single_steps: one event a step, to check the shortcut against.
    """

    service: ServiceModel
    replica: Replica = field(default_factory=Replica)
    replicas: int = 1
    routing: Routing = Routing.ROUND_ROBIN
    failures: tuple[Failure, ...] = ()
    single_steps: bool = False


@dataclass(frozen=True)
class Step:
    """A run of denoise steps, for whoever observes: begins at `at`, `steps` times `seconds` long, these videos."""

    at: float
    seconds: float
    steps: int
    videos: tuple[int, ...]
    replica: int


@dataclass(frozen=True)
class Simulated:
    """What became of every video; seconds from the start of the run, NaN where it never came to that.

    Attributes:
        arrived, first, ended: when it was asked for, when its first chunk came, when it was complete.
        status: of `Status`.
        batches: denoise steps by batch size.
        busy: seconds of all denoisers, decoders and encoders together.
        events: handled.
        seconds: that the simulation itself took.
    """

    arrived: NDArray[np.float64]
    first: NDArray[np.float64]
    ended: NDArray[np.float64]
    status: NDArray[np.int8]
    batches: dict[int, int]
    busy: dict[str, float]
    events: int
    seconds: float

    @property
    def videos_per_second(self) -> float:
        """How fast the simulation was."""
        return len(self.arrived) / self.seconds if self.seconds else float("inf")
