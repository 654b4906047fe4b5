"""One video over a real server: order, pushed scenes, backpressure, cancellation, deadlines, errors."""

import asyncio
import logging
import time

import grpc
import pytest

from framecast import errors
from framecast.client.v1 import video_pb2 as pb


def kinds(events):
    return [event.WhichOneof("event") for event in events]


async def test_a_story_becomes_events_in_order(serve, connect, requests):
    served = await serve()
    events = [
        event async for event in connect(served).Generate(iter(requests(story="kitten", seed=7, request_id="a1")))
    ]
    assert kinds(events) == ["accepted", *(["scene_started", "chunk", "chunk"] * 2), "done"]
    options = events[0].accepted.options
    assert (options.width, options.height, options.fps, options.steps, options.seed) == (256, 256, 16, 20, 7)
    assert options.codec == pb.H264
    assert events[0].accepted.request_id == "a1"
    chunks = [event.chunk for event in events if event.HasField("chunk")]
    assert [(c.index, c.scene, c.pts, c.frames, c.keyframe, len(c.data)) for c in chunks] == [
        (0, 0, 0, 8, True, 1000),
        (1, 0, 8, 8, True, 1000),
        (2, 1, 16, 8, True, 1000),
        (3, 1, 24, 8, True, 1000),
    ]
    assert events[1].scene_started.scene.camera == pb.PAN_LEFT
    assert events[-1].done.stats.frames == 32


async def test_scenes_pushed_later_stream_while_earlier_chunks_come(serve, connect, requests):
    served = await serve()
    messages = requests("first")
    call = connect(served).Generate()
    for message in messages:
        await call.write(message)
    seen = []
    while seen.count("chunk") < 2:
        seen.append((await call.read()).WhichOneof("event"))
    await call.write(pb.GenerateRequest(scene=pb.Scene(prompt="second", camera=pb.ZOOM_OUT, seconds=1.5)))
    while seen.count("chunk") < 4:
        seen.append((await call.read()).WhichOneof("event"))
    await call.done_writing()
    seen.append((await call.read()).WhichOneof("event"))
    assert await call.read() is grpc.aio.EOF
    assert seen == ["accepted", *(["scene_started", "chunk", "chunk"] * 2), "done"]
    assert [(scene.prompt, scene.camera, scene.seconds) for scene in served.director.seen] == [
        ("first", "static", 0.0),
        ("second", "zoom out", 1.5),
    ]


async def test_a_story_is_filmed_for_a_caller_who_never_half_closes(serve, connect, requests):
    served = await serve()
    call = connect(served).Generate()
    for message in requests(story="kitten"):
        await call.write(message)
    assert kinds([event async for event in call])[-1] == "done"


async def test_a_slow_reader_holds_the_director_back(serve, connect, requests, until):
    served = await serve()
    served.director.chunks, served.director.chunk_bytes = 10_000, 256 * 1024
    call = connect(served).Generate(iter(requests("endless")))
    while (await call.read()).WhichOneof("event") != "chunk":
        pass

    async def stands_still():
        while True:
            before = served.director.produced
            await asyncio.sleep(0.25)
            if served.director.produced == before:
                return

    await asyncio.wait_for(stands_still(), 5)
    assert served.director.produced <= 40, "more than 10 MiB waits in buffers for a reader who does not read"
    call.cancel()
    await until(lambda: served.director.live == 0)


async def test_who_reads_nothing_loses_the_place(serve, connect, requests, until):
    served = await serve(unread_seconds=0.3)
    served.director.chunks, served.director.chunk_bytes = 10_000, 256 * 1024
    call = connect(served).Generate(iter(requests("endless")))
    await until(lambda: served.director.live == 1)
    await until(lambda: served.director.live == 0)

    async def read_on():
        while await call.read() is not grpc.aio.EOF:
            pass

    with pytest.raises(grpc.aio.AioRpcError, match=r"the caller has read nothing for 0\.3 s") as ended:
        await asyncio.wait_for(read_on(), 20)
    assert ended.value.code() is grpc.StatusCode.CANCELLED
    assert served.gateway.service.videos.live == 0


async def test_cancelling_stops_the_director_within_one_chunk(serve, connect, requests, until):
    served = await serve()
    served.director.chunks = 10_000
    served.director.before_chunk = lambda: asyncio.sleep(0.05)
    call = connect(served).Generate(iter(requests("endless")))
    while (await call.read()).WhichOneof("event") != "chunk":
        pass
    call.cancel()
    made = served.director.produced
    await until(lambda: served.director.live == 0)
    assert served.director.produced <= made + 1
    assert served.gateway.service.videos.live == 0


async def test_a_lost_connection_stops_the_director(serve, connect, requests, until):
    served = await serve()
    served.director.before_chunk = asyncio.Event().wait
    async with grpc.aio.insecure_channel(served.address) as channel:
        call = channel.stream_stream(
            "/framecast.v1.Video/Generate",
            request_serializer=pb.GenerateRequest.SerializeToString,
            response_deserializer=pb.GenerateEvent.FromString,
        )(iter(requests("held")))
        await call.read()
        await until(lambda: served.director.live == 1)
    await until(lambda: served.director.live == 0)


async def test_the_callers_deadline_stops_the_director(serve, refuse, requests, until):
    served = await serve()
    served.director.before_chunk = asyncio.Event().wait
    began = time.monotonic()
    error = await refuse(served, requests("held"), timeout=0.3)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - began < 5.0
    await until(lambda: served.director.live == 0)
    labels = {"method": "generate", "code": "DEADLINE_EXCEEDED"}
    registry = served.gateway.service.metrics.registry
    await until(lambda: registry.get_sample_value("framecast_requests_total", labels) == 1)


async def test_what_the_planner_says_of_a_story_has_its_fields_name(serve, refuse, requests):
    served = await serve()
    served.director.error = errors.InvalidRequest("text", "is 1004 tokens long; the planner reads up to 800")
    error = await refuse(served, requests(story="long"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "story.text: is 1004 tokens long; the planner reads up to 800"


async def test_the_servers_own_time_limit(serve, refuse, requests):
    served = await serve(max_call_seconds=0.2)
    served.director.before_chunk = asyncio.Event().wait
    error = await refuse(served, requests("held"))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "0.2 s" in error.details()
    assert served.director.live == 0


async def test_a_silent_caller_is_let_go(serve, connect, requests):
    served = await serve(idle_seconds=0.1)
    call = connect(served).Generate()
    await call.write(requests()[0])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    error = caught.value
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "next message" in error.details()


async def test_a_deadline_below_the_estimate_is_refused_at_once(serve, refuse, requests):
    served = await serve()
    served.gateway.service.videos.estimator.learn(256 * 256 * 20, 60.0, 90.0)
    began = time.monotonic()
    error = await refuse(served, requests("late"), timeout=5)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "first frame" in error.details()
    assert time.monotonic() - began < 5.0
    assert served.director.specs == []


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([], "options"),
        ([pb.GenerateRequest(story=pb.Story(text="no options"))], "options"),
        ([pb.GenerateRequest(options=pb.VideoOptions())], "story"),
        ([pb.GenerateRequest(options=pb.VideoOptions()), pb.GenerateRequest()], "message"),
        ([pb.GenerateRequest(options=pb.VideoOptions())] * 2, "options"),
        (
            [
                pb.GenerateRequest(options=pb.VideoOptions()),
                pb.GenerateRequest(story=pb.Story(text="a")),
                pb.GenerateRequest(scene=pb.Scene(prompt="b")),
            ],
            "scene",
        ),
        ([pb.GenerateRequest(options=pb.VideoOptions(width=250))], "options.width"),
        ([pb.GenerateRequest(options=pb.VideoOptions()), pb.GenerateRequest(story=pb.Story(text=" "))], "story.text"),
        (
            [pb.GenerateRequest(options=pb.VideoOptions()), pb.GenerateRequest(story=pb.Story(text="x" * 200_000))],
            "story.text",
        ),
        (
            [
                pb.GenerateRequest(options=pb.VideoOptions()),
                pb.GenerateRequest(scene=pb.Scene(prompt="a", seconds=1e9)),
            ],
            "scene.seconds",
        ),
    ],
)
async def test_bad_requests_name_the_field_before_any_stage_runs(serve, refuse, messages, field):
    served = await serve()
    error = await refuse(served, messages)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith(field + ":")
    assert served.director.specs == []


@pytest.mark.parametrize("late", [pb.Scene(prompt=""), pb.Scene(prompt="a", camera=99)])
async def test_a_bad_scene_in_the_middle_ends_the_video(serve, refuse, requests, late):
    served = await serve()
    messages = [*requests("good"), pb.GenerateRequest(scene=late)]
    error = await refuse(served, messages)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith("scene.")
    assert served.director.live == 0


async def test_a_scene_that_is_wrong_is_told_by_its_number(serve, refuse, requests):
    served = await serve()
    error = await refuse(served, requests("a kitten", "a dog", ""))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "scene.prompt: is empty; say what is to be seen (of scene 3)"


async def test_a_story_among_scenes_is_refused(serve, refuse, requests):
    served = await serve()
    messages = [*requests("good"), pb.GenerateRequest(story=pb.Story(text="late"))]
    error = await refuse(served, messages)
    assert error.details().startswith("story:")


async def test_a_corrupt_picture_is_data_loss(serve, refuse, requests):
    served = await serve()
    served.director.error, served.director.error_at = errors.CorruptOutput("the denoiser produced NaN"), 1
    error = await refuse(served, requests("bad"))
    assert (error.code(), error.details()) == (grpc.StatusCode.DATA_LOSS, "the denoiser produced NaN")


async def test_an_unexpected_error_says_nothing_to_the_caller_and_all_to_the_log(serve, refuse, requests, caplog):
    served = await serve()
    served.director.error = ValueError("secret backend text")
    with caplog.at_level(logging.ERROR, "framecast.gateway"):
        error = await refuse(served, requests("bad", request_id="find-me"))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in error.details()
    assert "secret backend text" in caplog.text
    assert "find-me" in caplog.text


async def test_a_timeout_inside_the_director_is_not_taken_for_the_callers(serve, refuse, requests):
    served = await serve()
    served.director.error = asyncio.TimeoutError()
    error = await refuse(served, requests("bad"))
    assert error.code() is grpc.StatusCode.INTERNAL


async def test_no_task_is_left_behind(serve, connect, requests, until):
    served = await serve()
    stub = connect(served)
    before = len(asyncio.all_tasks())
    for error in (None, ValueError("x")):
        served.director.error = error
        call = stub.Generate(iter(requests(story="kitten")))
        try:
            async for _ in call:
                pass
        except grpc.aio.AioRpcError:
            pass
    await until(lambda: len(asyncio.all_tasks()) <= before)


async def test_a_write_to_a_caller_who_has_left_is_not_logged_as_a_fault(serve, requests, caplog):
    served = await serve()
    aborted = []

    class Left:
        """A call whose peer goes between two writes, seen before the task is cancelled."""

        def time_remaining(self):
            return None

        def peer(self):
            return "gone"

        async def write(self, message):
            if message.HasField("chunk"):
                raise grpc.aio.InternalError("execute_batch")

        async def abort(self, code, details, trailing_metadata):
            aborted.append(code)
            raise grpc.aio.AbortError

    async def messages():
        for message in requests("a"):
            yield message

    with caplog.at_level(logging.WARNING, "framecast.gateway"), pytest.raises(grpc.aio.AbortError):
        await served.gateway.service.Generate(messages(), Left())
    assert aborted == [grpc.StatusCode.CANCELLED]
    assert caplog.records == []
    assert served.director.live == 0
