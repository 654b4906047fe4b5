"""Reading a call in a thread: what the caller sees, and what is left of it."""

import _thread
import contextvars
import gc
import itertools
import signal
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import closing

import grpc
import pytest

from framecast.client.reading import Unary, messages
from framecast.client.v1 import video_pb2 as pb
from framecast.client.v1 import video_pb2_grpc


class Numbers:
    """A call that counts, and is cancelled where one waits for what never comes."""

    def __init__(self, last: int, waits: Callable[[], None] = lambda: None) -> None:
        self.waits = waits
        self.last, self.readers, self.read = last, set(), 0
        self.cancelled = threading.Event()

    def __next__(self) -> int:
        self.readers.add(threading.get_ident())
        if self.read == self.last:
            self.waits()
            self.cancelled.wait(30)
            raise StopIteration
        self.read += 1
        return self.read

    def cancel(self) -> None:
        self.cancelled.set()


def test_a_message_is_read_when_it_is_asked_for_and_by_another_thread():
    call = Numbers(5)
    with closing(messages(lambda: call)) as answers:
        assert [next(answers), next(answers)] == [1, 2]
        assert call.read == 2
    (reader,) = call.readers
    assert reader != threading.get_ident()
    assert call.cancelled.is_set()


def test_an_interrupted_caller_leaves_no_thread_and_no_call():
    """As Ctrl-C does it: the exception strikes where the caller waits for a message that does not come."""
    call = Numbers(1, waits=lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1))
    threads = _thread._count()
    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)  # a test in the background ignores SIGINT
    try:
        answers = messages(lambda: call)
        assert next(answers) == 1
        with pytest.raises(KeyboardInterrupt):
            next(answers)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert call.cancelled.is_set()
    _require_no_more_threads(threads)


def test_an_interrupt_while_a_call_starts_leaves_none_running():
    """As a notebook's user makes it, or a timeout that raises: the program goes on, and so would the call."""
    begun = []

    def start():
        begun.append(Numbers(10**6))
        return begun[-1]

    threads, before = _thread._count(), signal.signal(signal.SIGALRM, signal.default_int_handler)
    interrupted = 0
    try:
        for attempt in range(300):
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-6 * (1 + attempt % 150))
                for _ in messages(start):
                    pass
            except KeyboardInterrupt:
                interrupted += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert interrupted == 300
    assert all(call.cancelled.wait(30) for call in begun)
    _require_no_more_threads(threads)


def _require_no_more_threads(than: int) -> None:
    """A thread is counted for a moment after it has said that it ends."""
    end = time.monotonic() + 30
    while _thread._count() > than and time.monotonic() < end:
        time.sleep(0.01)
    assert _thread._count() <= than


def test_the_reader_sees_the_callers_context():
    tenant = contextvars.ContextVar("tenant", default="nobody")
    seen = []
    tenant.set("acme")
    call = Numbers(1)
    (first,) = itertools.islice(messages(lambda: (seen.append(tenant.get()), call)[1]), 1)
    assert (first, seen) == (1, ["acme"])


def test_without_new_threads_the_caller_reads(monkeypatch, stub):
    def none(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", none)
    call = Numbers(2)
    answers = messages(lambda: call)
    assert [next(answers), next(answers)] == [1, 2]
    answers.close()
    assert call.readers == {threading.get_ident()}
    assert call.cancelled.is_set()
    (info,) = messages(lambda: Unary(stub.GetServerInfo, pb.GetServerInfoRequest()))
    assert info.bundle == "fake"


def test_what_was_abandoned_may_be_collected_by_its_own_reader():
    """A collection runs in whichever thread allocates; the generator it closes then may be that thread's."""
    collected = threading.Event()

    def collect():
        gc.collect()
        collected.set()

    call = Numbers(1, waits=collect)
    gc.disable()
    try:
        answers = messages(lambda: call)
        assert next(answers) == 1
        cycle = [answers]
        cycle.append(cycle)
        answers.gi_frame.f_locals["reader"]._wanted.put(True)
        del answers, cycle
        assert collected.wait(30)
    finally:
        gc.enable()
    assert call.cancelled.wait(30)


def test_what_cannot_be_started_is_told_to_the_caller():
    def start():
        raise ValueError("no channel")

    with pytest.raises(ValueError, match="no channel"):
        next(messages(start))


def test_a_call_that_was_left_is_freed_at_once(fake, stub):
    """Not by a later collection: gRPC takes a lock then, which at the end of a process may be held for good."""
    fake.script = [type(fake).hang]
    left = []

    def start():
        call = stub.Generate(iter([pb.GenerateRequest(options=pb.VideoOptions())]))
        left.append(weakref.ref(call))
        return call

    gc.disable()
    try:
        answers = messages(start)
        assert next(answers).chunk.data == b"data"
        answers.close()
        assert left[0]() is None
    finally:
        gc.enable()


def test_one_answer_is_a_stream_of_one(stub):
    (info,) = messages(lambda: Unary(stub.GetServerInfo, pb.GetServerInfoRequest()))
    assert info.bundle == "fake"


@pytest.fixture
def stub(fake):
    with grpc.insecure_channel(fake.address) as channel:
        yield video_pb2_grpc.VideoStub(channel)
