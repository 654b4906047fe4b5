"""Reading a call so that Ctrl-C ends it cleanly, wherever it strikes."""

import _thread
import contextvars
import sys
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
        method: of a stub.
        request: what it is called with.
        options: of the call, as ``timeout``.
    """

    def __init__(self, method: Any, request: object, **options: object) -> None:
        self._method, self._request, self._options = method, request, options
        self._future: Any = None
        self._cancelled = False

    def __next__(self) -> M:
        if self._future is not None:
            raise StopIteration
        self._future = self._method.future(self._request, **self._options)
        if self._cancelled:
            self._future.cancel()
        answer: M = self._future.result()
        return answer

    def without_threads(self) -> M:
        """The answer, waited for with none of gRPC's threads."""
        answer: M = self._method(self._request, **self._options)
        return answer

    def cancel(self) -> object:
        self._cancelled = True
        return self._future is not None and self._future.cancel()


def messages(start: Callable[[], Call[M]]) -> Generator[M, None, None]:
    """The messages of the call that `start` makes, each read when it is asked for; closing it cancels the call.

    A signal's exception, such as KeyboardInterrupt, is raised wherever the main thread is. Inside gRPC that may be
    half-way into a lock, which stays as it is: of 305 clients that were interrupted right after a message 3 hung or
    died of another error (docs/log.md). So a thread reads, and the caller waits in a queue that is written in C. The
    thread sees the caller's context variables.

    Raises:
        BaseException: what `start` or reading has raised.
    """
    reader = _Reader(start)
    try:
        if not reader.begin():
            yield from reader.directly()
            return
        while True:
            message, failure = reader.ask()
            if isinstance(failure, StopIteration):
                return
            if failure is not None:
                raise failure
            yield message
    finally:
        reader.stop()


class _Reader(Generic[M]):
    """The thread, from `begin` to `stop`.

    It is not a `threading.Thread`: `start` and `join` of those wait for locks in Python, and an interrupt in there
    would leave the thread running with nobody who knows of it.
    """

    def __init__(self, start: Callable[[], Call[M]]) -> None:
        self._start = start
        self._call: Call[M] | None = None
        self._thread = 0
        self._stopped = False
        self._wanted: SimpleQueue[bool] = SimpleQueue()
        self._answers: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self._ended: SimpleQueue[None] = SimpleQueue()

    def begin(self) -> bool:
        """False where Python runs no new thread, as while it ends."""
        if sys.is_finalizing():  # before Python 3.12 one could be started, and never ran
            return False
        try:
            self._thread = _thread.start_new_thread(contextvars.copy_context().run, (self._read,))
        except RuntimeError:
            return False
        return True

    def directly(self) -> Generator[M, None, None]:
        """The messages without a thread."""
        call = self._call = self._start()
        if isinstance(call, Unary):
            yield call.without_threads()
            return
        try:
            while True:
                yield next(call)
        except StopIteration:
            return

    def ask(self) -> tuple[Any, BaseException | None]:
        """The next message, or what came in its place."""
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
        if sys.is_finalizing():  # the thread has stopped where it was, with the call; the process's end cancels it
            return
        self._stopped = True
        self._wanted.put(False)
        if self._call is not None:
            self._call.cancel()
        # A collection may close what was abandoned from the thread itself.
        if self._thread and self._thread != _thread.get_ident():
            self._ended.get()
        self._call = None

    def _read(self) -> None:
        try:
            self._answer()
        except BaseException as failure:  # noqa: BLE001 - the end of the stream too: raised where the answer is waited for
            if self._stopped:
                failure.__traceback__ = None  # gRPC's call and its error are one, and its frames hold it: see `stop`
            else:
                self._answers.put((None, failure))
        finally:
            self._ended.put(None)

    def _answer(self) -> None:
        call = self._call = self._start()
        if self._stopped:
            call.cancel()
        while self._wanted.get():
            self._answers.put((next(call), None))
