"""Ctrl-C without loss: a run that is asked to stop ends after its step, with a checkpoint."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

from framecast.train.parallel import Crew


class Stopped(KeyboardInterrupt):
    """A run was asked to stop and has kept what it did."""


class Stop:
    """Hears Ctrl-C, SIGTERM and SIGHUP while its block runs; the loop in the block asks `due` once a step.

    A second Ctrl-C ends the run at once. `torchrun` sends its workers SIGTERM after Ctrl-C, which therefore does not.

    Args:
        crew: workers that stop together, after the same step.
    """

    def __init__(self, crew: Crew | None = None) -> None:
        self._crew = crew or Crew()
        self._asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():  # Python hears signals there alone
            numbers = [signal.SIGINT, signal.SIGTERM]
            if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
                numbers.append(signal.SIGHUP)
            self._before = {number: signal.signal(number, self._hear) for number in numbers}
        return self

    def due(self) -> bool:
        """Whether any worker was asked to stop; every worker asks after each step."""
        self._asked = self._crew.any(self._asked)
        return self._asked

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Raises Stopped where the block ended because it was asked to."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if kind is None and self._asked:
            raise Stopped("stopped with a checkpoint; the same command goes on from there")

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not self._asked and self._crew.leads:
            sys.stderr.write("\nstopping after this step, with a checkpoint; Ctrl-C once more stops at once\n")
        self._asked = True
