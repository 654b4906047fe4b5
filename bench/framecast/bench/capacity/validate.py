"""Predictions against measurements that the fit has not seen."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean, median
from typing import Any

import numpy as np

from framecast.bench.capacity.film import Film
from framecast.bench.capacity.fleet import Fleet, Simulated
from framecast.bench.capacity.predict import capacity, predict
from framecast.bench.capacity.service import Replica, ServiceModel
from framecast.bench.capacity.simulate import simulate
from framecast.bench.capacity.videos import Status
from framecast.bench.percentiles import percentile
from framecast.bench.sample import REFUSED, Sample

MOST_UTILISED = 0.9  # of the capacity; beyond, no run lasts until the formula's steady state


@dataclass(frozen=True)
class Row:
    """One figure of one load.

    Attributes:
        request_rate: of the load, videos a second.
        figure: its name.
        measured, formula, simulated: seconds, or videos a second for the throughput; None: too few samples, or a rate
            that has no steady state within the run.
        formula_error, simulated_error: relative to the measured one.
    """

    request_rate: float
    figure: str
    measured: float | None
    formula: float | None
    simulated: float | None

    @property
    def formula_error(self) -> float | None:
        """(formula - measured) ÷ measured."""
        return _error(self.formula, self.measured)

    @property
    def simulated_error(self) -> float | None:
        """(simulated - measured) ÷ measured."""
        return _error(self.simulated, self.measured)

    def to_json(self) -> dict[str, Any]:
        """Plain data, errors included."""
        return {**asdict(self), "formula_error": self.formula_error, "simulated_error": self.simulated_error}


@dataclass(frozen=True)
class Load:
    """An open loop that was measured.

    Attributes:
        films: the kinds of video.
        order: index of each video's film.
        samples: the videos, as they were asked for.
        step_seconds: of a denoise step in the mean, decodes beside it included, from Triton's metrics; None: not known.
    """

    films: Sequence[Film]
    order: Sequence[int]
    samples: Sequence[Sample]
    step_seconds: float | None = None

    @property
    def rate(self) -> float:
        """Arrivals a second, from the start of the run to the last one."""
        return len(self.samples) / max(sample.intended for sample in self.samples)

    @property
    def mix(self) -> list[Film]:
        """The films, weighted by how often they were asked for."""
        counts = Counter(self.order)
        return [replace(self.films[index], weight=float(count)) for index, count in sorted(counts.items())]

    @property
    def ca2(self) -> float:
        """Squared coefficient of variation of the times between arrivals, as they were."""
        gaps = np.diff(sorted(sample.intended for sample in self.samples))
        return float(gaps.var() / gaps.mean() ** 2) if len(gaps) and gaps.mean() else 0.0


def validate(
    service: ServiceModel, replica: Replica, load: Load, ca2: float | None = None, *, at_its_speed: bool = False
) -> list[Row]:
    """Compares a measured open-loop load with the formula at its rate and the simulation of its own arrivals.

    Args:
        service, replica: what predicts; fitted without these samples.
        load: the measurement.
        ca2: of the process that the arrivals were drawn from, 1 for Poisson, 0 for even ones; None: as they were.
        at_its_speed: takes all costs times what the load's own steps took longer than they should have: what is off
            then is the model's own error, and not a machine that has become slower since it was calibrated.

    Raises:
        ValueError: nothing was measured, or nobody came later than at once.
    """
    if not load.samples:
        raise ValueError("a load without a video can not be compared")
    if not max(sample.intended for sample in load.samples):
        raise ValueError("a load whose videos all come at once has no rate to predict")
    done = [sample for sample in load.samples if not sample.error]
    duration = max(s.ended for s in load.samples) - min(s.intended for s in load.samples)
    latencies = [sample.latency for sample in done]
    firsts = [sample.ttff for sample in done if sample.ttff is not None]
    rate, mix = load.rate, load.mix
    if at_its_speed:
        expected = _replayed(service, replica, load)["step_seconds"]
        if load.step_seconds is None or not expected:
            raise ValueError("the load's record does not say what its denoise steps took: leave out --at-its-speed")
        service = service.scaled(load.step_seconds / expected)
    formula = predict(service, replica, mix, rate, ca2=load.ca2 if ca2 is None else ca2)
    settled = rate <= MOST_UTILISED * capacity(service, replica, mix)
    simulated = _replayed(service, replica, load)
    figures: list[tuple[str, float | None, float | None]] = [
        ("throughput_qps", len(done) / duration if duration else None, formula.throughput_qps),
        ("latency_median", median(latencies) if latencies else None, formula.latency_p50),
        ("latency_p95", percentile(latencies, 0.95).value, formula.latency_p95),
        ("ttff_median", median(firsts) if firsts else None, formula.ttff_p50),
        ("ttff_p95", percentile(firsts, 0.95).value, formula.ttff_p95),
        # Has no queue in it: where it is off, the machine was slower or faster than when it was calibrated.
        ("step_seconds", load.step_seconds, None),
        ("refused_rate", fmean(sample.error == REFUSED for sample in load.samples), formula.refused_rate),
    ]
    return [
        Row(rate, name, value, by_formula if settled else None, simulated[name]) for name, value, by_formula in figures
    ]


def _replayed(service: ServiceModel, replica: Replica, load: Load) -> dict[str, float | None]:
    """Figures of a simulation of the load's own arrivals."""
    asked = sorted(zip((sample.intended for sample in load.samples), load.order, strict=True))
    times, order = zip(*asked, strict=True)
    found = simulate(Fleet(service, replica), times, load.films, order=order)
    count = sum(found.batches.values())
    return {**summarised(found), "step_seconds": found.busy["denoise"] / count if count else None}


def summarised(found: Simulated, warmup: float = 0.0) -> dict[str, float | None]:
    """Figures of a simulation: seconds, and videos a second.

    Args:
        found: the simulation.
        warmup: share of the videos, the first ones, that do not count.
    """
    kept = np.arange(len(found.arrived)) >= warmup * len(found.arrived)
    done = kept & (found.status == Status.DONE)
    shares = {
        "refused_rate": float((found.status[kept] == Status.REFUSED).mean()),
        "failed_rate": float((found.status[kept] == Status.FAILED).mean()),
    }
    if not done.any():
        return {"throughput_qps": 0.0, **shares, **dict.fromkeys(_names())}
    latency = np.sort(found.ended[done] - found.arrived[done])
    ttff = np.sort(found.first[done] - found.arrived[done])
    duration = float(found.ended[done].max() - found.arrived[kept].min())
    results: dict[str, float | None] = {
        "throughput_qps": float(done.sum()) / duration,
        **shares,
    }
    for name, values in (("latency", latency), ("ttff", ttff)):
        results[f"{name}_mean"] = float(values.mean())
        results[f"{name}_median"] = float(np.median(values))
        for p in (95, 99):
            results[f"{name}_p{p}"] = percentile(values.tolist(), p / 100).value
    return results


def _names() -> list[str]:
    return [f"{name}_{figure}" for name in ("latency", "ttff") for figure in ("mean", "median", "p95", "p99")]


def _error(predicted: float | None, measured: float | None) -> float | None:
    return None if predicted is None or not measured else predicted / measured - 1
