"""What records of a GPU show: the fastest of what was timed as figures, rungs and kernels as charts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from framecast.bench.report.canvas import DOTTED, MARK, OTHER, OURS, chart, duration, legend, svg

Row = Mapping[str, Any]
_THEIRS = ("eager", "channels_last", "compile")  # rungs with nothing of ours
_SPELT = {"unet": "UNet", "vae": "VAE"}
_FAMILIES = (OURS, OTHER, "#4aa3a2", "#8f6fd1")
_AGAINST = {
    "speedup": ("Kernels against torch", "times as fast as torch"),
    "of_copy": ("Kernels against the memory", "bytes a second ÷ the memory's"),
}


@dataclass(frozen=True)
class Rung:
    """A time of one workload: in which way it was run, how many seconds it took, and how few it could (or None)."""

    name: str
    seconds: float
    floor: float | None


def gpu_rows(samples: Any) -> list[Row]:
    """The rows of a record that `framecast.bench.gpu` wrote; none of any other."""
    rows = samples if isinstance(samples, list) else []
    return [row for row in rows if isinstance(row, Mapping) and ("op" in row or "what" in row)]


def workloads(rows: Sequence[Row]) -> dict[str, list[Rung]]:
    """Every workload with its rungs: a ladder's in order, others from the slowest; of two times of one, the first."""
    found: dict[str, dict[str, Rung]] = {}
    for row in rows:
        seconds = row["call_us"] / 1e6 if row.get("call_us") else row.get("seconds")
        if "rung" not in row or not seconds:
            continue
        words = ", ".join(str(row[part]) for part in ("what", "ladder") if part in row).split()
        what = " ".join(_SPELT.get(word, word) for word in words)
        name = row["rung"] + (", no guidance" if row.get("guidance") is False else "")
        floor = seconds / row["of_floor"] if row.get("of_floor") else None
        found.setdefault(what, {}).setdefault(name, Rung(name, seconds, floor))
    ladders = {what for what, rungs in found.items() if any(name.startswith(("+ ", "all but ")) for name in rungs)}
    return {
        what: list(rungs.values()) if what in ladders else sorted(rungs.values(), key=lambda rung: -rung.seconds)
        for what, rungs in found.items()
    }


def fastest(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    """(workload, its least time, whose that is), and the planner's most tokens a second."""
    found: list[tuple[str, str, str]] = []
    for what, rungs in workloads(rows).items():
        best = min(rungs, key=lambda rung: rung.seconds)
        found.append((what, duration(best.seconds), best.name))
    if speeds := [(row["tokens_a_second"], row["rung"]) for row in rows if row.get("tokens_a_second")]:
        most, name = max(speeds)
        found.append(("planner", f"{most:.3g} tokens/s", name))
    return found


def gpu_charts(rows: Sequence[Row], name: str) -> list[tuple[str, str]]:
    """(title, SVG): the rungs of every workload that has several, and kernels against torch and the memory."""
    drawn: list[tuple[str, str]] = []
    for what, rungs in workloads(rows).items():
        if len(rungs) > 1:
            drawn.append((what[0].upper() + what[1:], _rungs(rungs, f"{name}g{len(drawn)}", what)))
    kernels = [row for row in rows if row.get("ours_us")]
    for figure, (title, axis) in _AGAINST.items():
        if known := [row for row in kernels if row.get(figure)]:
            drawn.append((title, _kernels(known, figure, axis, f"{name}g{len(drawn)}", title)))
    return drawn


def _rungs(rungs: Sequence[Rung], name: str, title: str) -> str:
    with chart("milliseconds", "", height=1.0 + 0.32 * len(rungs)) as axes:
        for row, rung in enumerate(rungs):
            axes.barh(row, 1e3 * rung.seconds, height=0.62, color=MARK if rung.name in _THEIRS else OURS)
            axes.text(1e3 * rung.seconds, row, f" {duration(rung.seconds)}", va="center", fontsize=9)
        floors = [rung.floor for rung in rungs if rung.floor]
        if floors:
            axes.axvline(1e3 * min(floors), color=OTHER, linestyle=DOTTED, label="floor")
            legend(axes)
        axes.set_yticks(range(len(rungs)), [rung.name for rung in rungs])
        axes.invert_yaxis()
        axes.margins(x=0.16)
        axes.grid(visible=False, axis="y")
        return svg(axes, name, title)


def _kernels(rows: Sequence[Row], figure: str, axis: str, name: str, title: str) -> str:
    """A point a shape, a line an op, a colour a model."""
    ops = list(dict.fromkeys(row["op"] for row in rows))
    families = list(dict.fromkeys(row["family"] for row in rows))
    with chart(axis, "", height=1.6 + 0.3 * len(ops)) as axes:
        for number, family in enumerate(families):
            known = [(row[figure], ops.index(row["op"]) + 0.14 * number) for row in rows if row["family"] == family]
            color = _FAMILIES[number % len(_FAMILIES)]
            axes.plot([x for x, _ in known], [y for _, y in known], "o", color=color, markersize=4.5, label=family)
        axes.axvline(1, color=MARK, linewidth=1)
        if figure == "speedup":
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}×")
        else:
            axes.set_xlim(left=0)
        axes.set_yticks(range(len(ops)), ops)
        axes.invert_yaxis()
        axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=2, frameon=False)
        return svg(axes, name, title)
