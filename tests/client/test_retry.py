"""What is tried again, when, and how often; both clients."""

import asyncio
import time

import grpc
import pytest

from framecast.client import (
    AsyncVideoClient,
    Chunk,
    DataLoss,
    DeadlineExceeded,
    Done,
    InvalidArgument,
    Overloaded,
    RetryPolicy,
    Scene,
    ServerError,
    Unavailable,
    VideoClient,
)
from framecast.client.retry import Deadline

EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


@pytest.fixture(params=["sync", "async"])
def generate(request, fake, quick):
    """Runs one video with either client and returns its events."""

    def run(*args, retry=quick, **settings):
        if request.param == "sync":
            with VideoClient(fake.address, retry=retry) as client:
                return list(client.generate(*args, **settings))

        async def collect():
            async with AsyncVideoClient(fake.address, retry=retry) as client:
                return [event async for event in client.generate(*args, **settings)]

        return asyncio.run(collect())

    return run


def test_a_refused_story_is_tried_again_with_the_same_request_id(fake, generate):
    fake.script = [fake.fail(UNAVAILABLE), fake.fail(EXHAUSTED), type(fake).film]
    events = generate("kitten")
    assert isinstance(events[-1], Done)
    assert len(fake.calls) == 3
    assert len(events[0].request_id) == 32


def test_no_more_than_three_tries(fake, generate):
    fake.script = [fake.fail(UNAVAILABLE, "the server is shutting down")]
    with pytest.raises(Unavailable, match="shutting down") as caught:
        generate("kitten")
    assert caught.value.code is UNAVAILABLE
    assert len(fake.calls) == 3


def test_the_pushback_is_honoured(fake, generate):
    fake.script = [fake.fail(EXHAUSTED, pushback="300"), type(fake).film]
    generate("kitten")
    assert 0.3 <= fake.calls[1].time - fake.calls[0].time < 1.5


@pytest.mark.parametrize(("pushback", "retry_after"), [("-1", -1.0), ("soon", -1.0), ("60000", 60.0)])
def test_a_pushback_that_says_no_or_much_later_is_told_to_the_caller(fake, generate, pushback, retry_after):
    fake.script = [fake.fail(EXHAUSTED, "full", pushback=pushback)]
    with pytest.raises(Overloaded, match="full") as caught:
        generate("kitten")
    assert caught.value.retry_after == retry_after
    assert len(fake.calls) == 1


def test_nothing_is_tried_again_after_the_first_chunk(fake, generate):
    fake.script = [fake.fail(UNAVAILABLE, after=1), type(fake).film]
    with pytest.raises(Unavailable):
        generate("kitten")
    assert len(fake.calls) == 1


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS]
)
def test_other_errors_are_final(fake, generate, code):
    fake.script = [fake.fail(code, "scene.prompt: is empty")]
    with pytest.raises((InvalidArgument, ServerError, DataLoss), match=r"scene\.prompt") as caught:
        generate("kitten")
    assert caught.value.code is code
    assert len(fake.calls) == 1


def test_a_list_of_scenes_is_sent_again_an_iterator_is_not(fake, generate):
    fake.script = [fake.fail(UNAVAILABLE), type(fake).film]
    generate(scenes=[Scene("a"), Scene("b")])
    assert [message.scene.prompt for message in fake.calls[1].messages[1:]] == ["a", "b"]
    fake.script = [fake.fail(UNAVAILABLE), type(fake).film]
    with pytest.raises(Unavailable):
        generate(scenes=iter([Scene("a")]))
    assert len(fake.calls) == 3


def test_one_deadline_spans_all_tries(fake, generate):
    fake.script = [fake.fail(UNAVAILABLE), type(fake).film]
    generate("kitten", timeout=5, retry=RetryPolicy(first_delay=0.2))
    first, second = fake.calls
    assert first.time_remaining < 5.5
    assert second.time_remaining < first.time_remaining - 0.15


def test_no_retry_is_begun_that_the_deadline_would_cut(fake, generate):
    fake.script = [fake.fail(EXHAUSTED, pushback="5000")]
    began = time.monotonic()
    with pytest.raises(Overloaded):
        generate("kitten", timeout=2)
    assert time.monotonic() - began < 1


def test_a_deadline_that_passes(fake, generate):
    fake.script = [type(fake).hang]
    with pytest.raises(DeadlineExceeded, match="deadline passed"):
        generate("kitten", timeout=0.3)
    assert fake.calls[0].cancelled.wait(2)


def test_a_stream_without_done_is_an_incomplete_video(fake, generate):
    def stop_early(self, requests, context):
        yield self.chunk(0)

    fake.script = [stop_early]
    with pytest.raises(DataLoss, match="before the video was complete"):
        generate("kitten")


def test_a_chunk_of_thirty_megabytes_passes_and_a_larger_limit_is_named(fake, generate):
    def film(size):
        def behave(self, requests, context):
            yield self.chunk(0, b"x" * size)
            yield from type(self).film(self, requests, context)

        return behave

    fake.script = [film(30 * 2**20)]
    assert any(isinstance(event, Chunk) and len(event.data) == 30 * 2**20 for event in generate("kitten"))
    fake.script = [film(65 * 2**20)]
    with pytest.raises(ServerError, match="max_message_bytes"):
        generate("kitten")


def test_waits_grow_and_are_jittered():
    policy = RetryPolicy(attempts=4, first_delay=1.0, factor=2.0)
    never = Deadline(None)
    delays = [[policy.delay(attempt, Unavailable("x"), never) for _ in range(50)] for attempt in (1, 2, 3)]
    for center, sample in zip((1, 2, 4), delays, strict=True):
        assert 0.8 * center <= min(sample) < max(sample) <= 1.2 * center
    assert policy.delay(4, Unavailable("x"), never) is None
    assert policy.delay(1, InvalidArgument("x"), never) is None
    assert policy.delay(1, Unavailable("x"), Deadline(0.5)) is None
    assert policy.delay(1, Overloaded("x", retry_after=2.0), never) >= 2.0
