"""Progress bars with loss and time left, and loss curves kept as JSON lines and a picture."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from framecast.train.lines import finished


class Journal:
    """Appends one line of numbers a step to `directory/curve.jsonl` and shows a bar.

    On something that is not a terminal a plain line is printed every `every` seconds instead of a bar.
    """

    def __init__(self, directory: Path, title: str, total: int, *, begin: int = 0, every: float = 20.0) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        finished(directory / "curve.jsonl", mend=True)
        self._file = (directory / "curve.jsonl").open("a", encoding="utf-8", buffering=1)  # whole lines, come what may
        self._console = Console()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=total, completed=begin, note="")
        self._title, self._total, self._begin, self._every = title, total, begin, every
        self._started = time.monotonic()
        self._printed = 0.0
        self._sums: dict[str, tuple[float, int]] = {}

    def __enter__(self) -> Journal:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._bar.stop()
        if kind is None:
            done = self._bar.tasks[self._task].completed
            self._console.print(f"{self._title} {done:.0f}/{self._total}, in {self._directory}", highlight=False)
        self._file.close()
        plot(self._directory)

    @property
    def seconds(self) -> float:
        """Wall time since this run began."""
        return time.monotonic() - self._started

    def log(self, step: int, **numbers: float) -> None:
        """Records one step.

        Raises:
            FloatingPointError: a number is not finite: the run is lost, and going on would overwrite a good checkpoint.
        """
        for name, value in numbers.items():
            if not math.isfinite(value):
                raise FloatingPointError(f"{name} is {value} at step {step}")
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + value, count + 1)
        row: dict[str, Any] = {"step": step, "seconds": round(self.seconds, 1), **numbers}
        self._file.write(json.dumps(row) + "\n")
        self._bar.update(self._task, completed=step, note=f"loss {next(iter(numbers.values())):.4f}" if numbers else "")
        now = time.monotonic()
        if now - self._printed > self._every:
            means = " ".join(f"{k} {total / count:.4f}" for k, (total, count) in self._sums.items())
            left = self.seconds / max(1, step - self._begin) * (self._total - step)
            if not self._console.is_terminal:
                self._console.print(f"{self._title} {step}/{self._total} {means} left {left:.0f}s", highlight=False)
            self._printed, self._sums = now, {}


def read_curve(directory: Path) -> list[dict[str, float]]:
    """All recorded steps of a run; a step that was repeated after a resume counts once, the last time."""
    rows = {}
    for line in finished(directory / "curve.jsonl"):
        row = json.loads(line)
        rows[row["step"]] = row
    return [rows[step] for step in sorted(rows)]


def plot(directory: Path) -> None:
    """Draws `curve.png` from `curve.jsonl`; each number is smoothed over about a fiftieth of the run."""
    rows = read_curve(directory)
    if len(rows) < 2:
        return
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4))
    width = max(1, len(rows) // 50)
    for name in (k for k in rows[-1] if k not in ("step", "seconds")):
        points = [(row["step"], row[name]) for row in rows if name in row]
        smooth = [
            sum(v for _, v in points[max(0, i - width + 1) : i + 1]) / min(i + 1, width) for i in range(len(points))
        ]
        axes.plot([s for s, _ in points], smooth, label=name)
    axes.set_xlabel("step")
    axes.set_yscale("symlog", linthresh=0.1)
    if axes.lines:
        axes.legend()
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(directory / "curve.png", dpi=110)
    plt.close(figure)
