"""Samples to figures, under the names that facts and dashboards use."""

from collections.abc import Callable, Sequence
from statistics import fmean, median
from typing import Any

from framecast.bench.divergence import State
from framecast.bench.load import LoadRun
from framecast.bench.percentiles import NEEDED, effective_samples, percentile
from framecast.bench.sample import REFUSED, STAGES, Sample
from framecast.bench.slo import Slo

PARTS = ("queue", *STAGES, "wire")


def summary(run: LoadRun, slo: Slo | None = None) -> dict[str, Any]:
    """Figures of a run. Latencies in seconds from the intended sending, `…_ms` in milliseconds, `_qps` in videos a
    second. A percentile without enough samples is None, and `refused_figures` says what it takes.
    """
    done = [sample for sample in run.samples if not sample.error]
    refused: dict[str, str] = {}
    results: dict[str, Any] = {
        "duration": run.duration,
        "completed_requests": len(done),
        "failed_requests": len(run.samples) - len(done),
        "refused_requests": sum(sample.error == REFUSED for sample in run.samples),
        "unsent_requests": run.planned - len(run.samples),
        "throughput_qps": len(done) / run.duration if run.duration else None,
        "state": run.verdict.state.value,
        "reason": run.verdict.reason,
    }
    if slo:
        attained = sum(slo.met(sample) for sample in run.samples)
        results["slo_attainment_rate"] = attained / len(run.samples) if run.samples else None
        results["goodput_qps"] = attained / run.duration if run.duration else None
    if not done:
        return {**results, "refused_figures": refused}
    latencies = [sample.latency for sample in done]
    results["offered_qps"], results["pace"] = _pace(run, min(latencies))
    results["latency_mean"] = fmean(latencies)
    results["latency_median"] = median(latencies)
    _percentiles(results, refused, "latency", latencies)
    results["latency_effective_samples"] = effective_samples(latencies)
    first = [1000 * sample.ttff for sample in done if sample.ttff is not None]
    results["ttff_ms"] = median(first)
    _percentiles(results, refused, "ttff_ms", first)
    intervals = [1000 * interval for sample in done for interval in sample.chunk_intervals]
    results["chunk_interval_ms"] = median(intervals) if intervals else None
    _percentiles(results, refused, "chunk_interval_ms", intervals)
    results["video_rtf"] = _median(done, lambda sample: sample.rtf)
    results["overhead"] = _median(done, lambda sample: sample.overhead)
    results["served_median"] = _median(done, lambda sample: sample.served)
    results["engines_median"] = median(sample.engines for sample in done)
    results["ttff_share"] = _median(done, lambda sample: sample.ttff / sample.latency if sample.ttff else None)
    results["send_lag_ms_max"] = 1000 * max(sample.sent - sample.intended for sample in run.samples)
    results["in_flight_max"] = max((number for _, number in run.in_flight), default=0)
    parts = {part: values for part in PARTS if (values := _part(done, part))}
    results["stage_durations_mean"] = {part: fmean(values) for part, values in parts.items()}
    for p, name in ((0.5, "p50"), (0.99, "p99")):
        found = {part: percentile(values, p) for part, values in parts.items()}
        results[f"stage_durations_{name}"] = {part: each.value for part, each in found.items()}
        refused.update({f"stage_durations_{name}.{part}": e.refusal for part, e in found.items() if e.refusal})
    results["stages_not_reported"] = [part for part in PARTS if part not in parts]
    results["refused_figures"] = refused
    return results


def keeps_up(results: dict[str, Any], attainment: float) -> bool:
    """Whether a load was steady, nothing failed, and both the objective and the rate were attained often enough."""
    return bool(
        results["state"] == State.STEADY.value
        and not results["failed_requests"]
        and results["completed_requests"]
        and results.get("slo_attainment_rate", 1.0) >= attainment
        and (results.get("pace") or 1.0) >= attainment
    )


def _pace(run: LoadRun, shortest: float) -> tuple[float | None, float | None]:
    """Arrivals as they came, videos a second, and how close the answers kept to them: 1 when the last answer came no
    later after its arrival than the quickest did. A queue too short for `divergence` to be sure of shows here.
    """
    intended = [sample.intended for sample in run.samples]
    span = max(intended) - min(intended)
    if not span > 0:
        return None, None
    return (len(intended) - 1) / span, (span + shortest) / run.duration


def _percentiles(results: dict[str, Any], refused: dict[str, str], name: str, values: Sequence[float]) -> None:
    for p in NEEDED:
        found, key = percentile(values, p), f"{name}_p{round(100 * p)}"
        results[key] = found.value
        results[f"{key}_interval"] = [found.low, found.high]
        if found.refusal:
            refused[key] = found.refusal


def _part(samples: Sequence[Sample], part: str) -> list[float]:
    if part in ("queue", "wire"):
        return [value for sample in samples if (value := getattr(sample, part)) is not None]
    return [sample.stages[part] for sample in samples if part in sample.stages]


def _median(samples: Sequence[Sample], of: Callable[[Sample], float | None]) -> float | None:
    values = [value for sample in samples if (value := of(sample)) is not None]
    return median(values) if values else None
