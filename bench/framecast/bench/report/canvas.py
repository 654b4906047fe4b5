"""What every chart of a report is drawn with: colours, type and axes, and the way to SVG text without a display."""

import html
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, OURS, OTHER, MARK = "#1c2330", "#1f5fbf", "#d9730d", "#5a6575"
"""Text and outlines; what is ours or whole; what it is compared with or begins; what only marks a place."""
DOTTED = (0, (1, 2))
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be searched and read aloud
    "svg.hashsalt": "framecast",  # the same record gives the same bytes
    "font.size": 10.0,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.labelcolor": INK,
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


@contextmanager
def chart(x: str, y: str, height: float = 3.1) -> Iterator[Axes]:
    """Axes in the report's style; `height` in inches, of which the width is 5.2."""
    with mpl.rc_context(_STYLE):
        axes = Figure(figsize=(5.2, height), layout="tight").add_subplot()
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        yield axes


def legend(axes: Axes) -> None:
    """A legend, where anything has a name."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)


def svg(axes: Axes, name: str, title: str) -> str:
    """The chart as an inline element whose ids no other chart on the page has."""
    file, figure = io.StringIO(), axes.get_figure(root=True)
    if figure is None:
        raise ValueError("the axes belong to no chart any more")
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = file.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{re.escape(name)}-", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{html.escape(title)}"', 1)


def duration(seconds: float) -> str:
    """ "1.04 s", "320 ms", "87.9 ms"."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.1 else f"{1000 * seconds:.3g} ms"
