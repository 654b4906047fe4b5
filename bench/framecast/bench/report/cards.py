"""The figures that a reader looks for first."""

from dataclasses import dataclass
from typing import Any

from framecast.bench.record import Record
from framecast.bench.report.gpu import fastest, gpu_rows

#: Name in the results, label, factor, unit.
_KNOWN = (
    ("knee_qps", "kept up with", 1.0, "/s"),
    ("beyond_qps", "too much", 1.0, "/s"),
    ("speedup", "speedup", 1.0, "×"),
    ("capacity_qps", "capacity", 1.0, "/s"),
    ("replicas", "replicas", 1.0, ""),
    ("dollars_per_video", "a video", 1.0, " $"),
    ("energy_per_video_j", "energy a video", 1.0, " J"),
    ("throughput_qps", "videos", 1.0, "/s"),
    ("throughput_ratio", "throughput, ours ÷ theirs", 1.0, "×"),
    ("ttff_ms", "first frame, median", 1e-3, " s"),
    ("ttff_ratio", "first frame, ours ÷ theirs", 1.0, "×"),
    ("latency_median", "whole video, median", 1.0, " s"),
    ("latency_p95", "whole video, p95", 1.0, " s"),
    ("ours_latency_median", "ours, median", 1.0, " s"),
    ("theirs_latency_median", "theirs, median", 1.0, " s"),
    ("ttff_share", "first frame ÷ whole", 1.0, ""),
    ("overhead", "whole ÷ engines", 1.0, "×"),
    ("video_rtf", "work a second of video", 1.0, " s"),
    ("slo_attainment_rate", "within the objective", 100.0, " %"),
    ("ttff_p95", "first frame, p95", 1.0, " s"),
    ("refused_rate", "turned away", 100.0, " %"),
    ("formula_error_worst", "formula, worst error", 100.0, " %"),
    ("simulated_error_worst", "simulation, worst error", 100.0, " %"),
)


_BOUNDS = (("latency_p95", "p95"), ("ttff_p95", "first frame p95"))


@dataclass(frozen=True)
class Card:
    """A figure for people: what it is, how much, and between what bounds or of what."""

    label: str
    value: str
    interval: str = ""


def cards(record: Record, most: int = 8) -> list[Card]:
    """The first figures of a record, at most `most`."""
    found = []
    for name, label, factor, unit in _KNOWN:
        value = record.results.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            low, high = record.results.get(f"{name}_interval") or (None, None)
            bounds = "" if low is None or high is None else f"{_short(low * factor)} to {_short(high * factor)}"
            found.append(Card(label, _short(value * factor) + unit, bounds))
    if isinstance(valid := record.results.get("valid"), bool):
        found.insert(0, Card("LoadGen says", "VALID" if valid else "INVALID"))
    if record.benchmark == "capacity plan":
        asked = record.settings
        limits = [f"{what} ≤ {asked[name]:g} s" for name, what in _BOUNDS if asked.get(name)]
        how = ", ".join([*limits, str(asked.get("routing", ""))])
        found.insert(0, Card("videos an hour", _short(asked["videos_per_hour"]), how))
    if record.results.get("state") not in (None, "steady"):
        found.insert(0, Card("state", str(record.results["state"])))
    found += [Card(*figure) for figure in fastest(gpu_rows(record.samples))]
    return found[:most]


def _short(value: Any) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
