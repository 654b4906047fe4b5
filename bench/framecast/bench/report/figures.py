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

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be searched and read aloud
    "svg.hashsalt": "framecast",  # the same record gives the same bytes
    "font.size": 9.0,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
}


def load_curve(points: Sequence[Mapping[str, Any]], knee: float | None, name: str) -> str:
    """Latency and time to first frame against the rate; hollow marks are loads that were too much."""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes("videos asked for, 1/s", "seconds")
        for key, label, scale in (
            ("latency_median", "latency, median", 1.0),
            ("latency_p95", "latency, p95", 1.0),
            ("ttff_ms", "first frame, median", 1e-3),
            ("ttff_ms_p95", "first frame, p95", 1e-3),
        ):
            known = [(p["request_rate"], scale * p[key], p["keeps_up"]) for p in points if p.get(key) is not None]
            if not known:
                continue
            (line,) = axes.plot([x for x, _, _ in known], [y for _, y, _ in known], label=label)
            for x, y, good in known:
                axes.plot(x, y, "o", color=line.get_color(), fillstyle="full" if good else "none")
        if knee is not None:
            axes.axvline(knee, color="0.4", linestyle="--", label=f"knee, {knee:.3g}/s")
        axes.set_ylim(bottom=0)
        _legend(axes)
        return _svg(figure, name, "Latency against load")


def stages(results: Mapping[str, Any], name: str) -> str:
    """The stages of the usual video, one after the other."""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes("seconds, added up", "")
        parts, left = waterfall(dict(results)), 0.0
        for row, (_, seconds) in enumerate(parts):
            axes.barh(row, seconds, left=left, color="C0")
            axes.text(left + seconds, row, f" {1000 * seconds:.0f} ms", va="center")
            left += seconds
        axes.set_yticks(range(len(parts)), [part for part, _ in parts])
        axes.invert_yaxis()
        axes.margins(x=0.15)
        if results.get("latency_mean"):
            axes.axvline(results["latency_mean"], color="0.4", linestyle="--", label="latency, mean")
            _legend(axes)
        return _svg(figure, name, "Stages of a video")


def batch_sizes(sizes: Mapping[str, float], name: str) -> str:
    """Denoise steps by batch size."""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes("segments in a step (at most)", "denoise steps")
        known = [(bound, number) for bound, number in sizes.items() if number]
        axes.bar([bound for bound, _ in known], [number for _, number in known], color="C0")
        return _svg(figure, name, "Batch sizes")


def in_flight(points: Sequence[Sequence[float]], name: str) -> str:
    """Videos asked for and not answered, over time."""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes("seconds", "videos in flight")
        axes.step([point[0] for point in points], [point[1] for point in points], where="post")
        axes.set_ylim(bottom=0)
        return _svg(figure, name, "Videos in flight")


def capacity_curve(results: Mapping[str, Any], name: str) -> str:
    """Predicted latency against the rate, up to what the replicas can make."""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes("videos asked for, 1/s", "seconds")
        points = results["points"]
        rates = [point["request_rate"] for point in points]
        for key in ("latency_p50", "latency_p95", "latency_p99", "ttff_p50", "ttff_p95"):
            axes.plot(rates, [point[key] for point in points], label=key.replace("_", ", "))
        axes.axvline(results["capacity_qps"], color="0.4", linestyle="--", label="capacity")
        axes.set_ylim(bottom=0)
        _legend(axes)
        return _svg(figure, name, "Predicted latency against load")


def batch_efficiency(points: Sequence[Sequence[float]], name: str) -> str:
    """Throughput of a denoise step by batch size, singles being 1."""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes("segments in a step", "throughput, single = 1")
        axes.plot([point[0] for point in points], [point[1] for point in points], "o-")
        axes.set_ylim(bottom=0)
        return _svg(figure, name, "Batch efficiency")


def _axes(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7.0, 3.2), layout="tight")
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
