"""Both clients: events, pushed scenes, cancellation, metadata, plain errors."""

import asyncio
import math
import subprocess
import sys
import threading
from importlib.resources import files

import grpc
import pytest

from framecast.client import (
    Accepted,
    AsyncVideoClient,
    Camera,
    Cancelled,
    ChannelOptions,
    Chunk,
    Codec,
    Done,
    InvalidArgument,
    RetryPolicy,
    Scene,
    SceneStarted,
    ServerError,
    Unavailable,
    VideoClient,
    VideoOptions,
)
from framecast.client.v1 import video_pb2 as pb

OPTIONS = VideoOptions(width=256, height=128, fps=12, seed=0, steps=9, guidance_scale=0.5, codec=Codec.PNG)
TOKEN = "sesame"  # noqa: S105


@pytest.fixture
def client(fake, quick):
    with VideoClient(fake.address, token=TOKEN, retry=quick) as client:
        yield client


@pytest.fixture
async def async_client(fake, quick):
    async with AsyncVideoClient(fake.address, token=TOKEN, retry=quick) as client:
        yield client


def check(fake, events):
    accepted, started, chunk, *_, done = events
    assert isinstance(accepted, Accepted)
    assert accepted.options == VideoOptions(**{**vars(OPTIONS), "request_id": accepted.request_id})
    assert accepted.seconds_to_first_frame == 0.5
    assert isinstance(started, SceneStarted)
    assert started.scene == Scene("a", 1.5, Camera.PAN_LEFT, "b", 0)
    assert chunk == Chunk(0, 0, 0, 8, True, b"data", "video/mp4")
    assert isinstance(done, Done)
    assert done.stats.engine_seconds == {"denoise": 1.5}
    assert fake.calls[0].metadata["authorization"] == f"Bearer {TOKEN}"


def test_events_are_plain_data(fake, client):
    check(fake, list(client.generate(scenes=[Scene("a", 1.5, Camera.PAN_LEFT, "b", 0)], options=OPTIONS)))


async def test_async_events_are_plain_data(fake, async_client):
    scenes = [Scene("a", 1.5, Camera.PAN_LEFT, "b", 0)]
    check(fake, [event async for event in async_client.generate(scenes=scenes, options=OPTIONS)])


def test_scenes_are_pushed_while_chunks_come(fake, client):
    seen_chunk = threading.Event()

    def scenes():
        yield Scene("first")
        assert seen_chunk.wait(5)
        yield Scene("second")

    prompts = []
    for event in client.generate(scenes=scenes()):
        if isinstance(event, Chunk):
            seen_chunk.set()
        if isinstance(event, SceneStarted):
            prompts.append((event.scene.prompt, seen_chunk.is_set()))
    assert prompts == [("first", False), ("second", True)]


async def test_async_scenes_are_pushed_while_chunks_come(fake, async_client):
    seen_chunk = asyncio.Event()

    async def scenes():
        yield Scene("first")
        await asyncio.wait_for(seen_chunk.wait(), 5)
        yield Scene("second")

    prompts = []
    async for event in async_client.generate(scenes=scenes()):
        if isinstance(event, Chunk):
            seen_chunk.set()
        if isinstance(event, SceneStarted):
            prompts.append((event.scene.prompt, seen_chunk.is_set()))
    assert prompts == [("first", False), ("second", True)]


def broken():
    yield Scene("a")
    raise KeyError("mine")


def test_an_exception_of_the_callers_iterable_is_raised_as_it_is(client):
    with pytest.raises(KeyError, match="mine"):
        list(client.generate(scenes=broken()))


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_ends_a_program_ends_it_from_the_callers_iterable_too(client, kind):
    """gRPC takes no notice of what is no Exception, and would wait for the next scene."""

    def scenes():
        yield Scene("a")
        raise kind(2)

    with pytest.raises(kind):
        list(client.generate(scenes=scenes(), timeout=60))


async def test_async_an_exception_of_the_callers_iterable_is_raised_as_it_is(async_client):
    async def broken_async():
        for scene in broken():
            yield scene

    for scenes in (broken(), broken_async()):
        with pytest.raises(KeyError, match="mine"):
            async for _ in async_client.generate(scenes=scenes):
                pass


def test_an_async_iterable_needs_the_async_client(client):
    async def scenes():
        yield Scene("a")

    with pytest.raises(InvalidArgument, match="AsyncVideoClient"):
        list(client.generate(scenes=scenes()))


def test_leaving_the_loop_cancels_the_call(fake, client):
    fake.script = [type(fake).hang]
    for event in client.generate("kitten"):
        assert isinstance(event, Chunk)
        break
    assert fake.calls[0].cancelled.wait(2)


async def test_async_leaving_the_loop_cancels_the_call(fake, async_client):
    fake.script = [type(fake).hang]
    async for event in async_client.generate("kitten"):
        assert isinstance(event, Chunk)
        break
    assert await asyncio.to_thread(fake.calls[0].cancelled.wait, 2)


async def test_async_cancelling_the_task_cancels_the_call(fake, async_client):
    fake.script = [type(fake).hang]
    first = asyncio.Event()

    async def film():
        async for _ in async_client.generate("kitten"):
            first.set()

    task = asyncio.create_task(film())
    await first.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(fake.calls[0].cancelled.wait, 2)


def test_closing_the_client_ends_its_calls(fake):
    fake.script = [type(fake).hang]
    client = VideoClient(fake.address)
    events = client.generate("kitten")
    next(events)
    threading.Timer(0.05, client.close).start()
    with pytest.raises(Cancelled, match="client was closed"):
        next(events)
    assert fake.calls[0].cancelled.wait(2)
    with pytest.raises(Cancelled, match="client was closed"):
        client.server_info()


def test_a_client_that_is_closed_while_a_call_starts_says_so(fake):
    class Closing(threading.Event):
        """Another thread closes the client after the call has looked and before it starts."""

        asked = 0

        def is_set(self):
            self.asked += 1
            return self.asked > 1

    client = VideoClient(fake.address)
    client._channel.close()
    client._closed = Closing()
    with pytest.raises(Cancelled, match="client was closed"):
        client.server_info()


async def test_async_closing_the_client_ends_its_calls(fake):
    fake.script = [type(fake).hang]
    client = AsyncVideoClient(fake.address)
    events = client.generate("kitten")
    await anext(events)
    asyncio.get_running_loop().call_later(0.05, lambda: asyncio.ensure_future(client.close()))
    with pytest.raises(Cancelled, match="client was closed"):
        await anext(events)
    with pytest.raises(Cancelled, match="client was closed"):
        await client.server_info()


async def test_async_closing_the_client_ends_the_wait_for_a_retry():
    class Patient(RetryPolicy):
        waits = asyncio.Event()

        def delay(self, *arguments):
            self.waits.set()
            return 3600.0

    client = AsyncVideoClient("127.0.0.1:1", retry=Patient())
    events = client.generate("kitten")
    task = asyncio.ensure_future(anext(events))
    await Patient.waits.wait()
    await client.close()
    with pytest.raises(Cancelled, match="client was closed"):
        await asyncio.wait_for(task, 10)


def test_plan_and_server_info(fake, client):
    assert list(client.plan("kitten")) == [
        Scene("kitten 0", 2.0, Camera.ZOOM_IN),
        Scene("kitten 1", 2.0, Camera.ZOOM_IN),
    ]
    fake.script = [fake.fail(grpc.StatusCode.UNAVAILABLE), type(fake).film]
    assert len(list(client.plan("kitten", max_scenes=1))) == 1
    info = client.server_info()
    assert (info.bundle, info.defaults.steps, info.codecs) == ("fake", 20, (Codec.H264, Codec.PNG))


async def test_async_plan_and_server_info(async_client):
    assert [scene.prompt async for scene in async_client.plan("kitten", max_scenes=1)] == ["kitten 0"]
    assert (await async_client.server_info()).bundle == "fake"


def test_an_early_refusal_keeps_its_status_while_requests_are_written(fake, quick):
    """grpc.aio alone would answer INTERNAL here more often than not."""

    def refuse(self, requests, context):
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "options.width: no")
        yield

    fake.script = [refuse]

    async def film():
        async with AsyncVideoClient(fake.address, retry=quick) as client:
            async for _ in client.generate(scenes=[Scene("a" * 200)] * 3):
                pass

    for _ in range(20):
        with pytest.raises(InvalidArgument, match=r"options\.width: no"):
            asyncio.run(film())


@pytest.mark.parametrize("timeout", [math.inf, 1e300, None])
def test_a_timeout_that_is_none(fake, client, timeout):
    assert client.server_info(timeout=timeout).bundle == "fake"
    assert fake.calls[0].time_remaining is None or fake.calls[0].time_remaining > 1e6


@pytest.mark.parametrize("timeout", [math.nan, "3"])
def test_a_timeout_that_is_no_number(fake, client, timeout):
    with pytest.raises(InvalidArgument, match=r"timeout: .* is no number of seconds"):
        client.server_info(timeout=timeout)
    assert fake.calls == []


@pytest.mark.parametrize("seconds", [math.nan, 0, -1.0])
def test_keepalive_takes_time(seconds):
    with pytest.raises(InvalidArgument, match=r"keepalive_timeout_seconds: .* above 0 seconds"):
        ChannelOptions(keepalive_timeout_seconds=seconds)


def test_keepalive_may_be_never(fake):
    never = ChannelOptions(keepalive_seconds=math.inf)
    assert ("grpc.keepalive_time_ms", 2**31 - 1) in never.arguments
    with VideoClient(fake.address, channel=never) as client:
        assert client.server_info().bundle == "fake"


def test_a_call_while_python_ends_is_answered(fake):
    """No thread is started any more then, and those of gRPC have stopped."""
    program = f"""
from framecast.client import VideoClient
class Last:
    def __init__(self): self.client = VideoClient({fake.address!r})
    def __del__(self): print(self.client.server_info(timeout=5).bundle)
last = Last()
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "fake\n"), ended.stderr


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ("for event in events: break", 0),
        ("for event in events: raise ValueError('mine')", 1),
        ("next(events); client.close()", 0),
    ],
)
def test_python_ends_while_a_video_is_held(fake, rest, code):
    """Its thread has stopped by then, and nobody waits for it."""
    fake.script = [type(fake).hang]
    program = f"""
from framecast.client import VideoClient
client = VideoClient({fake.address!r})
events = client.generate("a story")
{rest}
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == code, ended.stderr


def test_the_types_are_there_for_others():
    assert (files("framecast.client") / "py.typed").is_file()


def test_nobody_listens():
    with VideoClient("127.0.0.1:1") as client, pytest.raises(Unavailable, match=r"cannot reach .* at 127\.0\.0\.1:1"):
        client.server_info()


@pytest.mark.parametrize("sentence", ["the denoiser's connection is down", ""])
def test_the_servers_own_sentence_is_kept(fake, sentence):
    fake.script = [fake.fail(grpc.StatusCode.UNAVAILABLE, sentence, after=1)]
    with VideoClient(fake.address) as client, pytest.raises(Unavailable, match=sentence or "UNAVAILABLE"):
        list(client.generate("kitten"))


def test_a_server_that_knows_no_framecast(fake):
    fake.script = [fake.fail(grpc.StatusCode.UNIMPLEMENTED)]
    with VideoClient(fake.address) as client, pytest.raises(ServerError, match="does not offer"):
        list(client.generate("kitten"))


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({}, "story"),
        ({"story": "a", "scenes": [Scene("b")]}, "story"),
        ({"scenes": [Scene("b")], "max_scenes": 2}, "max_scenes"),
        ({"story": "a", "options": VideoOptions(width=2**40)}, "options.width"),
        ({"story": "a", "options": VideoOptions(seed=-1)}, "options.seed"),
        ({"story": "a", "options": VideoOptions(codec="gif")}, "options.codec"),
        ({"story": "a\ud800"}, "story.text"),
        ({"story": 5}, "story.text"),
        ({"scenes": [Scene("a", camera="crane")]}, "scene.camera"),
        ({"scenes": [Scene("a", seconds="long")]}, "scene.seconds"),
    ],
)
def test_what_does_not_fit_the_wire_is_refused_before_the_call(fake, client, settings, field):
    with pytest.raises(InvalidArgument) as caught:
        client.generate(**settings)
    assert str(caught.value).startswith(field + ":")
    assert fake.calls == []


def test_the_enums_cover_the_wire():
    assert {codec.name for codec in Codec} == set(pb.Codec.keys()) - {"CODEC_UNSPECIFIED"}
    assert {camera.name for camera in Camera} == set(pb.Camera.keys()) - {"CAMERA_UNSPECIFIED"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"scenes": Scene("a cat")}, r"scenes: a Scene is no list of scenes; write \[Scene"),
        ({"scenes": 5}, "scenes: a int is no list of scenes"),
        ({"scenes": [Scene("a cat")], "options": {"width": 64}}, "options: a dict is no VideoOptions"),
    ],
)
def test_what_is_no_request_is_one_sentence(arguments, said):
    with VideoClient("127.0.0.1:1") as client, pytest.raises(InvalidArgument, match=said):
        list(client.generate(**arguments))
