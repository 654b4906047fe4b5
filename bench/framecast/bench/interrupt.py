"""A measurement that is broken off keeps what it has."""

import asyncio
import signal
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupt:
    """The first signal to stop inside the ``with`` block ends what `first` awaits, and nothing else.

    SIGINT, SIGTERM and, unless nohup ignores it, SIGHUP. After it SIGTERM is ignored, for `framecast serve` sends one
    to the command that it runs when it has got the same Ctrl-C; a second SIGINT ends the program as ever.

    Attributes:
        asked: whether the signal has come.
    """

    def __init__(self) -> None:
        self.asked = False
        self._came = asyncio.Event()
        self._listening: list[signal.Signals] = []

    def __enter__(self) -> "Interrupt":
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue
            # A loop outside the main thread, or of another system, hears no signals, and then none can break it off.
            with suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self.ask)
                self._listening.append(number)
        return self

    def __exit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for number in self._listening:
            loop.remove_signal_handler(number)
        if self.asked and self._listening:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def ask(self) -> None:
        """What a signal does."""
        self.asked = True
        self._came.set()

    async def first(self, work: Awaitable[T]) -> T | None:
        """What `work` gives; None when the signal comes first: `work` is cancelled then."""
        task, came = asyncio.create_task(_done(work)), asyncio.create_task(self._came.wait())
        try:
            await asyncio.wait({task, came}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            for each in (task, came):
                each.cancel()
            await asyncio.wait({task, came})


async def _done(work: Awaitable[T]) -> T:
    """`work` as a coroutine: whoever cancels a task of it hears what became of a gathering too."""
    return await work
