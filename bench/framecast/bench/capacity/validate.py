"""Predictions against measurements that the fit has not seen."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from framecast.bench.capacity.film import Film
from framecast.bench.capacity.fleet import Fleet, Simulated
from framecast.bench.capacity.predict import capacity, predict
from framecast.bench.capacity.service import Replica, ServiceModel
from framecast.bench.capacity.simulate import simulate
from framecast.bench.capacity.videos import Status
from framecast.bench.percentiles import percentile
from framecast.bench.sample import Sample

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


def validate(
    service: ServiceModel, replica: Replica, film: Film, rate: float, samples: Sequence[Sample], ca2: float = 1.0
) -> list[Row]:
    """Compares a measured open-loop load with the formula at its rate and the simulation of its own arrivals.

    Args:
        service, replica: what predicts; fitted without these samples.
        film: what was asked for.
        rate: videos a second.
        samples: the measurement.
        ca2: 1 for Poisson arrivals, 0 for even ones.
    """
    done = [sample for sample in samples if not sample.error]
    duration = max((s.ended for s in samples), default=0.0) - min((s.intended for s in samples), default=0.0)
    latencies = [sample.latency for sample in done]
    firsts = [sample.ttff for sample in done if sample.ttff is not None]
    formula = predict(service, replica, [film], rate, ca2=ca2)
    settled = rate <= MOST_UTILISED * capacity(service, replica, [film])
    found = simulate(Fleet(service, replica), sorted(sample.intended for sample in samples), [film])
    simulated = summarised(found)
    figures: list[tuple[str, float | None, float | None]] = [
        ("throughput_qps", len(done) / duration if duration else None, formula.throughput_qps),
        ("latency_median", median(latencies) if latencies else None, formula.latency_p50),
        ("latency_p95", percentile(latencies, 0.95).value, formula.latency_p95),
        ("ttff_median", median(firsts) if firsts else None, formula.ttff_p50),
        ("ttff_p95", percentile(firsts, 0.95).value, formula.ttff_p95),
        ("refused_rate", 1 - len(done) / len(samples) if samples else None, formula.refused_rate),
    ]
    return [
        Row(rate, name, value, by_formula if settled else None, simulated[name]) for name, value, by_formula in figures
    ]


def summarised(found: Simulated, warmup: float = 0.0) -> dict[str, float | None]:
    """Figures of a simulation: seconds, and videos a second.

    Args:
        found: the simulation.
        warmup: share of the videos, the first ones, that do not count.
    """
    kept = np.arange(len(found.arrived)) >= warmup * len(found.arrived)
    done = kept & (found.status == Status.DONE)
    if not done.any():
        return dict.fromkeys(("throughput_qps", "refused_rate", "failed_rate", *_names()))
    latency = np.sort(found.ended[done] - found.arrived[done])
    ttff = np.sort(found.first[done] - found.arrived[done])
    duration = float(found.ended[done].max() - found.arrived[kept].min())
    results: dict[str, float | None] = {
        "throughput_qps": float(done.sum()) / duration,
        "refused_rate": float((found.status[kept] == Status.REFUSED).mean()),
        "failed_rate": float((found.status[kept] == Status.FAILED).mean()),
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
