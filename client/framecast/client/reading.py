"""Reading a call so that Ctrl-C ends it cleanly, wherever it strikes."""

import threading
from collections.abc import Callable, Generator
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

M = TypeVar("M")
M_co = TypeVar("M_co", covariant=True)


class Call(Protocol[M_co]):
    """What gRPC gives for a call whose answer is a stream; `Unary` makes one of the other kind."""

    def __next__(self) -> M_co: ...
    def cancel(self) -> object: ...


class Unary(Generic[M]):
    """A call with one answer, as a `Call`.

    Args:
        future: what a stub's ``Method.future(…)`` returns.
    """

    def __init__(self, future: Any) -> None:
        self._future = future
        self._read = False

    def __next__(self) -> M:
        if self._read:
            raise StopIteration
        self._read = True
        answer: M = self._future.result()
        return answer

    def cancel(self) -> object:
        return self._future.cancel()


def messages(start: Callable[[], Call[M]]) -> Generator[M, None, None]:
    """The messages of the call that `start` makes, each read when it is asked for; closing it cancels the call.

    A signal's exception, such as KeyboardInterrupt, is raised wherever the main thread is. Inside gRPC that may be
    half-way into a lock, which stays as it is: of 305 clients that were interrupted right after a message 3 hung or
    died of another error (docs/log.md). So a thread reads, and the caller waits in a queue that is written in C.

    Raises:
        Exception: what `start` or reading has raised.
    """
    reader = _Reader(start)
    reader.start()
    try:
        while True:
            message, failure = reader.ask()
            if isinstance(failure, StopIteration):
                return
            if failure is not None:
                raise failure
            yield message
    finally:
        reader.stop()


class _Reader(threading.Thread, Generic[M]):
    def __init__(self, start: Callable[[], Call[M]]) -> None:
        super().__init__(name="framecast-reader", daemon=True)
        self._begin = start
        self._call: Call[M] | None = None
        self._stopped = False
        self._wanted: SimpleQueue[bool] = SimpleQueue()
        self._answers: SimpleQueue[tuple[Any, Exception | None]] = SimpleQueue()

    def run(self) -> None:
        try:
            call = self._call = self._begin()
            if self._stopped:
                call.cancel()
            while self._wanted.get():
                self._answers.put((next(call), None))
        except Exception as failure:  # noqa: BLE001 - the end of the stream too: raised where the answer is waited for
            if self._stopped:
                failure.__traceback__ = None  # gRPC's call and its error are one, and its frames hold it: see stop
            else:
                self._answers.put((None, failure))

    def ask(self) -> tuple[Any, Exception | None]:
        self._wanted.put(True)
        while True:
            try:
                return self._answers.get(timeout=0.2)
            except Empty:  # Windows hears Ctrl-C between two waits only
                continue

    def stop(self) -> None:
        """Cancels the call and lets go of it.

        When it is freed gRPC takes its lock. Freed by a collection at the end of the process only, it may find the lock
        held for good by a thread of gRPC's that Python has stopped by then.
        """
        self._stopped = True
        self._wanted.put(False)
        if self._call is not None:
            self._call.cancel()
        if threading.current_thread() is not self:  # a collection may close what was abandoned from here, too
            self.join()
        self._call = None
