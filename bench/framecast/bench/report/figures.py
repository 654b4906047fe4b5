"""Charts of loads, videos and predictions, as SVG text."""

from collections.abc import Mapping, Sequence
from typing import Any

from framecast.bench.latency import waterfall
from framecast.bench.report.canvas import DOTTED, MARK, OTHER, OURS, chart, duration, legend, svg

_STAGES = {
    "queue": "#b9c2cf",
    "waiting": "#dfe3e9",
    "plan": "#8f6fd1",
    "text": "#4aa3a2",
    "denoise": OURS,
    "decode": "#4c9be8",
}
_ON_TOP = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}  # of a line that runs through
_LINES = {"latency": OURS, "ttff": OTHER}
_DASHES = {"median": "-", "p50": "-", "p95": "--", "p99": ":"}


def load_curve(points: Sequence[Mapping[str, Any]], knee: float | None, name: str) -> str:
    """Latency and time to first frame against the rate; hollow marks are loads that were too much."""
    with chart("videos asked for, 1/s", "seconds") as axes:
        for key, label, scale, color, dashes in (
            ("latency_median", "whole video, median", 1.0, OURS, "-"),
            ("latency_p95", "whole video, p95", 1.0, OURS, "--"),
            ("ttff_ms", "first frame, median", 1e-3, OTHER, "-"),
            ("ttff_ms_p95", "first frame, p95", 1e-3, OTHER, "--"),
        ):
            known = [(p["request_rate"], scale * p[key], p["keeps_up"]) for p in points if p.get(key) is not None]
            if not known:
                continue
            axes.plot([x for x, _, _ in known], [y for _, y, _ in known], dashes, color=color, label=label)
            for x, y, good in known:
                axes.plot(x, y, "o", color=color, markersize=5, markerfacecolor=color if good else "white")
        if knee is not None:
            axes.axvline(knee, color=MARK, linestyle=DOTTED, label=f"knee, {knee:.3g}/s")
        axes.set_ylim(bottom=0)
        legend(axes)
        return svg(axes, name, "Latency against load")


def stages(results: Mapping[str, Any], name: str) -> str:
    """The stages of the usual video, one after the other."""
    with chart("seconds, added up", "") as axes:
        parts, left = waterfall(dict(results)), 0.0
        for row, (part, seconds) in enumerate(parts):
            axes.barh(row, seconds, left=left, height=0.6, color=_STAGES.get(part, MARK))
            axes.text(left + seconds, row, f" {duration(seconds)}", va="center", fontsize=9, bbox=_ON_TOP)
            left += seconds
        axes.set_yticks(range(len(parts)), [part for part, _ in parts])
        axes.invert_yaxis()
        axes.margins(x=0.18)
        axes.grid(visible=False, axis="y")
        if results.get("latency_mean"):
            axes.axvline(results["latency_mean"], color=MARK, linestyle=DOTTED, label="latency, mean")
            legend(axes)
        return svg(axes, name, "Stages of a video")


def batch_sizes(sizes: Mapping[str, float], name: str) -> str:
    """Denoise steps by batch size."""
    with chart("segments in a step (at most)", "denoise steps") as axes:
        known = [(bound, number) for bound, number in sizes.items() if number]
        axes.bar([bound for bound, _ in known], [number for _, number in known], width=0.6, color=OURS)
        axes.set_xlim(-0.8, max(3.2, len(known) - 0.2))
        axes.grid(visible=False, axis="x")
        return svg(axes, name, "Batch sizes")


def in_flight(points: Sequence[Sequence[float]], name: str) -> str:
    """Videos asked for and not answered, over time."""
    with chart("seconds", "videos in flight") as axes:
        axes.step(
            [point[0] for point in points], [point[1] for point in points], where="post", color=OURS, linewidth=1.0
        )
        axes.set_ylim(bottom=0)
        return svg(axes, name, "Videos in flight")


def capacity_curve(results: Mapping[str, Any], name: str) -> str:
    """Predicted latency against the rate, up to what the replicas can make."""
    with chart("videos asked for, 1/s", "seconds") as axes:
        points = results["points"]
        rates = [point["request_rate"] for point in points]
        for key in ("latency_p50", "latency_p95", "latency_p99", "ttff_p50", "ttff_p95"):
            kind, figure_name = key.split("_")
            label = f"{'whole video' if kind == 'latency' else 'first frame'}, {figure_name.replace('p50', 'median')}"
            heights = [point[key] for point in points]
            axes.plot(rates, heights, _DASHES[figure_name], color=_LINES[kind], label=label)
        axes.axvline(results["capacity_qps"], color=MARK, linestyle=DOTTED, label="capacity")
        axes.set_ylim(bottom=0)
        legend(axes)
        return svg(axes, name, "Predicted latency against load")


def batch_efficiency(points: Sequence[Sequence[float]], name: str) -> str:
    """Throughput of a denoise step by batch size, singles being 1."""
    with chart("segments in a step", "throughput, single = 1") as axes:
        axes.plot([point[0] for point in points], [point[1] for point in points], "o-", color=OURS)
        axes.set_xticks([point[0] for point in points])
        axes.set_ylim(bottom=0)
        return svg(axes, name, "Batch efficiency")


def prediction_errors(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    """How far predictions are off, figure by figure; 0 is right."""
    with chart("error, per cent", "") as axes:
        names = list(dict.fromkeys(row["figure"] for row in rows))
        for kind, label, color, shift in (
            ("formula_error", "formula", OTHER, -0.12),
            ("simulated_error", "simulation", OURS, 0.12),
        ):
            known = [(100 * row[kind], names.index(row["figure"]) + shift) for row in rows if row.get(kind) is not None]
            if known:
                axes.plot([x for x, _ in known], [y for _, y in known], "o", color=color, label=label, markersize=5)
        axes.axvline(0, color=MARK, linewidth=1)
        axes.set_yticks(range(len(names)), [each.replace("_", " ") for each in names])
        axes.invert_yaxis()
        legend(axes)
        return svg(axes, name, "Predicted against measured")


def turns(samples: Mapping[str, Any], name: str) -> str:
    """Seconds a video of both sides, turn by turn."""
    with chart("turn", "seconds a video") as axes:
        for side, color, shift in (("ours", OURS, -0.08), ("theirs", OTHER, 0.08)):
            known = [(turn + shift, total) for turn, lap in enumerate(samples[side], 1) for total in lap["totals"]]
            axes.plot([x for x, _ in known], [y for _, y in known], "o", color=color, label=side, markersize=5)
        axes.set_xticks(range(1, len(samples["ours"]) + 1))
        axes.set_ylim(bottom=0)
        legend(axes)
        return svg(axes, name, "Seconds a video, turn by turn")
