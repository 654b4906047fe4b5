"""What steps cost by themselves, where they were measured beside decodes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from framecast.bench.capacity.film import Film
from framecast.bench.capacity.fleet import Fleet
from framecast.bench.capacity.service import ServiceModel, StepCurve
from framecast.bench.capacity.simulate import simulate

_ROUNDS = 5  # of a fixed point whose factor lies between 1 and 1 + share


@dataclass(frozen=True)
class Crowd:
    """Callers who asked for `film` at once, and whose denoise steps held `batch` segments in the mean."""

    film: Film
    callers: int
    batch: float


def without_decodes(service: ServiceModel, crowds: Sequence[Crowd]) -> StepCurve:
    """The step curve of `service`, measured beside decodes, as it is without them.

    A step that a crowd's decodes slow down is longer by what `share` says, and `share` will be charged again by whoever
    uses the curve. How much they slowed each other down is what the simulation of the same callers says.
    """
    measured = dict(service.step.points)
    for _ in range(_ROUNDS):
        clean = {crowd.batch: measured[crowd.batch] / _slowdown(service, crowd) for crowd in crowds}
        service = replace(service, step=StepCurve(tuple(sorted({**measured, **clean}.items()))))
    return service.step


def _slowdown(service: ServiceModel, crowd: Crowd) -> float:
    """Seconds of the crowd's steps, beside its decodes ÷ without them."""
    found = simulate(Fleet(service), [0.0] * crowd.callers, [crowd.film])
    alone = sum(steps * service.step.seconds(size) for size, steps in found.batches.items()) * crowd.film.scale
    return max(1.0, found.busy["denoise"] / alone) if alone else 1.0
