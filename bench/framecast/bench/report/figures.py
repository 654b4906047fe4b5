"""Charts as SVG text, drawn by matplotlib without a display."""

import html
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from framecast.bench.latency import waterfall

_INK, _TOTAL, _FIRST, _MARK = "#1c2330", "#1f5fbf", "#d9730d", "#5a6575"
_STAGES = {
    "queue": "#b9c2cf",
    "waiting": "#dfe3e9",
    "plan": "#8f6fd1",
    "text": "#4aa3a2",
    "denoise": _TOTAL,
    "decode": "#4c9be8",
}
_ON_TOP = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}  # of a line that runs through
_LINES = {"latency": _TOTAL, "ttff": _FIRST}
_DASHES = {"median": "-", "p50": "-", "p95": "--", "p99": ":"}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be searched and read aloud
    "svg.hashsalt": "framecast",  # the same record gives the same bytes
    "font.size": 10.0,
    "font.family": "sans-serif",
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": "#c3cad4",
    "xtick.color": "#5a6575",
    "ytick.color": "#5a6575",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e9ee",
    "lines.linewidth": 1.8,
    "legend.fontsize": 9.0,
}


def load_curve(points: Sequence[Mapping[str, Any]], knee: float | None, name: str) -> str:
    """Latency and time to first frame against the rate; hollow marks are loads that were too much."""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes("videos asked for, 1/s", "seconds")
        for key, label, scale, color, dashes in (
            ("latency_median", "whole video, median", 1.0, _TOTAL, "-"),
            ("latency_p95", "whole video, p95", 1.0, _TOTAL, "--"),
            ("ttff_ms", "first frame, median", 1e-3, _FIRST, "-"),
            ("ttff_ms_p95", "first frame, p95", 1e-3, _FIRST, "--"),
        ):
            known = [(p["request_rate"], scale * p[key], p["keeps_up"]) for p in points if p.get(key) is not None]
            if not known:
                continue
            axes.plot([x for x, _, _ in known], [y for _, y, _ in known], dashes, color=color, label=label)
            for x, y, good in known:
                axes.plot(x, y, "o", color=color, markersize=5, markerfacecolor=color if good else "white")
        if knee is not None:
            axes.axvline(knee, color=_MARK, linestyle=(0, (1, 2)), label=f"knee, {knee:.3g}/s")
        axes.set_ylim(bottom=0)
        _legend(axes)
        return _svg(figure, name, "Latency against load")


def stages(results: Mapping[str, Any], name: str) -> str:
    """The stages of the usual video, one after the other."""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes("seconds, added up", "")
        parts, left = waterfall(dict(results)), 0.0
        for row, (part, seconds) in enumerate(parts):
            axes.barh(row, seconds, left=left, height=0.6, color=_STAGES.get(part, _MARK))
            axes.text(left + seconds, row, f" {_duration(seconds)}", va="center", fontsize=9, bbox=_ON_TOP)
            left += seconds
        axes.set_yticks(range(len(parts)), [part for part, _ in parts])
        axes.invert_yaxis()
        axes.margins(x=0.18)
        axes.grid(visible=False, axis="y")
        if results.get("latency_mean"):
            axes.axvline(results["latency_mean"], color=_MARK, linestyle=(0, (1, 2)), label="latency, mean")
            _legend(axes)
        return _svg(figure, name, "Stages of a video")


def batch_sizes(sizes: Mapping[str, float], name: str) -> str:
    """Denoise steps by batch size."""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes("segments in a step (at most)", "denoise steps")
        known = [(bound, number) for bound, number in sizes.items() if number]
        axes.bar([bound for bound, _ in known], [number for _, number in known], width=0.6, color=_TOTAL)
        axes.set_xlim(-0.8, max(3.2, len(known) - 0.2))
        axes.grid(visible=False, axis="x")
        return _svg(figure, name, "Batch sizes")


def in_flight(points: Sequence[Sequence[float]], name: str) -> str:
    """Videos asked for and not answered, over time."""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes("seconds", "videos in flight")
        axes.step(
            [point[0] for point in points], [point[1] for point in points], where="post", color=_TOTAL, linewidth=1.0
        )
        axes.set_ylim(bottom=0)
        return _svg(figure, name, "Videos in flight")


def capacity_curve(results: Mapping[str, Any], name: str) -> str:
    """Predicted latency against the rate, up to what the replicas can make."""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes("videos asked for, 1/s", "seconds")
        points = results["points"]
        rates = [point["request_rate"] for point in points]
        for key in ("latency_p50", "latency_p95", "latency_p99", "ttff_p50", "ttff_p95"):
            kind, figure_name = key.split("_")
            label = f"{'whole video' if kind == 'latency' else 'first frame'}, {figure_name.replace('p50', 'median')}"
            heights = [point[key] for point in points]
            axes.plot(rates, heights, _DASHES[figure_name], color=_LINES[kind], label=label)
        axes.axvline(results["capacity_qps"], color=_MARK, linestyle=(0, (1, 2)), label="capacity")
        axes.set_ylim(bottom=0)
        _legend(axes)
        return _svg(figure, name, "Predicted latency against load")


def batch_efficiency(points: Sequence[Sequence[float]], name: str) -> str:
    """Throughput of a denoise step by batch size, singles being 1."""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes("segments in a step", "throughput, single = 1")
        axes.plot([point[0] for point in points], [point[1] for point in points], "o-", color=_TOTAL)
        axes.set_xticks([point[0] for point in points])
        axes.set_ylim(bottom=0)
        return _svg(figure, name, "Batch efficiency")


def prediction_errors(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    """How far predictions are off, figure by figure; 0 is right."""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes("error, per cent", "")
        names = list(dict.fromkeys(row["figure"] for row in rows))
        for kind, label, color, shift in (
            ("formula_error", "formula", _FIRST, -0.12),
            ("simulated_error", "simulation", _TOTAL, 0.12),
        ):
            known = [(100 * row[kind], names.index(row["figure"]) + shift) for row in rows if row.get(kind) is not None]
            if known:
                axes.plot([x for x, _ in known], [y for _, y in known], "o", color=color, label=label, markersize=5)
        axes.axvline(0, color=_MARK, linewidth=1)
        axes.set_yticks(range(len(names)), [each.replace("_", " ") for each in names])
        axes.invert_yaxis()
        _legend(axes)
        return _svg(figure, name, "Predicted against measured")


def turns(samples: Mapping[str, Any], name: str) -> str:
    """Seconds a video of both sides, turn by turn."""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes("turn", "seconds a video")
        for side, color, shift in (("ours", _TOTAL, -0.08), ("theirs", _FIRST, 0.08)):
            known = [(turn + shift, total) for turn, lap in enumerate(samples[side], 1) for total in lap["totals"]]
            axes.plot([x for x, _ in known], [y for _, y in known], "o", color=color, label=side, markersize=5)
        axes.set_xticks(range(1, len(samples["ours"]) + 1))
        axes.set_ylim(bottom=0)
        _legend(axes)
        return _svg(figure, name, "Seconds a video, turn by turn")


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def _axes(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.2, 3.1), layout="tight")
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)


def _svg(figure: Figure, name: str, title: str) -> str:
    """The figure as an inline element whose ids no other figure on the page has."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = file.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{re.escape(name)}-", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{html.escape(title)}"', 1)
