"""A build's progress on the terminal."""

import threading
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from framecast.export.tensorrt.api import BuilderBindings


class Bars:
    """One bar a phase, nested phases indented; TensorRT calls from several threads.

    Args:
        progress: where the bars are shown.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._tasks: dict[str, tuple[TaskID, int]] = {}

    def start(self, phase: str, parent: str | None, steps: int) -> None:
        """A phase begins."""
        with self._lock:
            depth = self._tasks[parent][1] + 1 if parent in self._tasks else 0
            self._tasks[phase] = (self._progress.add_task("  " * depth + phase, total=steps), depth)

    def step(self, phase: str, step: int) -> bool:
        """A step is done. True: go on."""
        with self._lock:
            if phase in self._tasks:
                self._progress.update(self._tasks[phase][0], completed=step + 1)
        return True  # go on

    def finish(self, phase: str) -> None:
        """A phase ends; the bar of an inner one disappears."""
        with self._lock:
            task, depth = self._tasks.pop(phase, (None, 0))
            if task is not None:
                self._progress.update(task, completed=self._progress.tasks[self._progress.task_ids.index(task)].total)
                if depth:
                    self._progress.remove_task(task)


def progress_bars(console: Console | None = None) -> Progress:
    """A display for `Bars`, used as a context manager; silent without a console."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console or Console(quiet=True), transient=True, disable=console is None)


def monitor_of(bindings: BuilderBindings, bars: Bars) -> Any:
    """`bars` as TensorRT's progress monitor."""

    class Monitor(bindings.IProgressMonitor):  # type: ignore[misc, name-defined]  # known only when TensorRT is there
        def __init__(self) -> None:
            bindings.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            bars.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return bars.step(phase_name, step)

        def phase_finish(self, phase_name: str) -> None:
            bars.finish(phase_name)

    return Monitor()
