"""The running server: health, reflection, tokens, overload, serving or not, graceful stop."""

import asyncio
import time
from dataclasses import replace
from importlib.metadata import version

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from framecast.client.errors import PUSHBACK_KEY
from framecast.client.v1 import video_pb2 as pb
from framecast.errors import PlanningFailed
from framecast.gateway.config import GatewayConfig
from framecast.gateway.server import start_gateway
from framecast.planner.storyboard import MAX_SCENE_SECONDS

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def failed(awaitable):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return caught.value


async def consume(call):
    return [message async for message in call]


@pytest.fixture
def health():
    """Asks the standard health service."""

    async def ask(served, service=""):
        async with grpc.aio.insecure_channel(served.address) as channel:
            return (
                await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service))
            ).status

    return ask


@pytest.mark.parametrize("service", ["", "framecast.v1.Video"])
async def test_health_follows_set_serving(serve, connect, requests, refuse, health, service):
    served = await serve()
    assert await health(served, service) == SERVING
    served.gateway.set_serving(False)
    assert await health(served, service) == NOT_SERVING
    stub = connect(served)
    assert (await refuse(served, requests("a"))).code() is grpc.StatusCode.UNAVAILABLE
    assert (await failed(consume(stub.Plan(pb.PlanRequest(text="a"))))).code() is grpc.StatusCode.UNAVAILABLE
    served.gateway.set_serving(True)
    assert await health(served, service) == SERVING
    assert await consume(stub.Generate(iter(requests("a"))))


async def test_reflection_describes_the_service(serve):
    served = await serve()

    def ask():
        with grpc.insecure_channel(served.address) as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            service = DescriptorPool(database).FindServiceByName("framecast.v1.Video")
            return set(database.get_services()), {method.name for method in service.methods}

    services, methods = await asyncio.to_thread(ask)
    assert {"framecast.v1.Video", "grpc.health.v1.Health"} <= services
    assert methods == {"Generate", "Plan", "GetServerInfo"}


async def test_plan_streams_scenes(serve, connect):
    served = await serve()
    scenes = await consume(connect(served).Plan(pb.PlanRequest(text="kitten", max_scenes=1)))
    assert [(scene.prompt, scene.camera, scene.seconds) for scene in scenes] == [("kitten 0", pb.PAN_LEFT, 1.0)]


async def test_plan_names_bad_fields_and_maps_errors(serve, connect, monkeypatch):
    served = await serve()
    stub = connect(served)
    assert (await failed(consume(stub.Plan(pb.PlanRequest())))).details().startswith("text:")

    async def nothing(_):
        raise PlanningFailed("the planner wrote no scene")
        yield

    monkeypatch.setattr(served.director, "plan", nothing)
    error = await failed(consume(stub.Plan(pb.PlanRequest(text="a"))))
    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "the planner wrote no scene")


async def test_the_models_own_largest_size_counts(serve, connect, model, requests, refuse):
    served = await serve(model=replace(model, max_side=512))
    info = await connect(served).GetServerInfo(pb.GetServerInfoRequest())
    assert (info.max_width, info.max_height) == (512, 512)
    error = await refuse(served, requests("a", width=768))
    assert error.details() == "options.width: 768 is not between 32 and 512; the nearest size is 512"


async def test_server_info(serve, connect, model):
    info = await connect(await serve()).GetServerInfo(pb.GetServerInfoRequest())
    assert info.max_story_scenes == min(model.max_scenes, info.max_scenes)
    assert info.max_story_scenes * MAX_SCENE_SECONDS <= info.max_video_seconds
    assert (info.bundle, info.version, info.size_multiple) == (model.bundle, version("framecast"), model.size_multiple)
    assert (info.defaults.width, info.defaults.steps, info.defaults.codec) == (256, 20, pb.H264)
    assert (info.min_steps, info.max_steps, info.segment_seconds) == (10, 50, 1.0)
    assert list(info.codecs) == [pb.H264, pb.VP9, pb.AV1, pb.JPEG, pb.PNG, pb.WEBP]


@pytest.mark.parametrize(
    "metadata",
    [(), *((("authorization", value),) for value in ("Bearer wrong", "right", "Basic right", "Bearer", "Bearer "))],
)
async def test_without_a_valid_token_only_health_is_open(serve, connect, requests, health, refuse, metadata):
    served = await serve(tokens=frozenset({"right", "other"}))
    stub = connect(served)
    errors = [
        await refuse(served, requests("a"), metadata=metadata),
        await failed(consume(stub.Generate(metadata=metadata))),
        await failed(consume(stub.Plan(pb.PlanRequest(text="a"), metadata=metadata))),
        await failed(stub.GetServerInfo(pb.GetServerInfoRequest(), metadata=metadata)),
    ]
    assert {error.code() for error in errors} == {grpc.StatusCode.UNAUTHENTICATED}
    assert await health(served) == SERVING
    assert served.director.specs == []


async def test_any_of_the_tokens_lets_in(serve, connect, requests):
    served = await serve(tokens=frozenset({"right", "other"}))
    for scheme, token in (("Bearer", "right"), ("Bearer", "other"), ("bearer", "right")):
        metadata = (("authorization", f"{scheme} {token}"),)
        assert await consume(connect(served).Generate(iter(requests("a")), metadata=metadata))


def test_a_config_does_not_show_its_tokens():
    assert "secret" not in repr(GatewayConfig(tokens=frozenset({"secret"})))


async def test_overload_is_refused_at_once_and_a_free_place_is_used(serve, connect, requests, refuse, until):
    served = await serve(max_live_videos=1, max_queued_videos=1)
    hold = asyncio.Event()
    served.director.before_chunk = hold.wait
    stub = connect(served)
    running = [asyncio.create_task(consume(stub.Generate(iter(requests("a"))))) for _ in range(2)]
    await until(lambda: served.gateway.service.videos.queued == 1)
    began = time.monotonic()
    error = await refuse(served, requests("a"))
    assert time.monotonic() - began < 5.0
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert int(dict(error.trailing_metadata())[PUSHBACK_KEY]) >= 500
    assert served.director.live == 1
    hold.set()
    for events in await asyncio.gather(*running):
        assert events[-1].HasField("done")


async def test_a_queued_caller_hears_accepted_and_may_leave(serve, connect, requests, until):
    served = await serve(max_live_videos=1, max_queued_videos=1)
    served.director.before_chunk = asyncio.Event().wait
    stub = connect(served)
    first = asyncio.create_task(consume(stub.Generate(iter(requests("a")))))
    await until(lambda: served.director.live == 1)
    queued = stub.Generate(iter(requests("b")))
    assert (await queued.read()).HasField("accepted")
    queued.cancel()
    await until(lambda: served.gateway.service.videos.queued == 0)
    assert len(served.director.specs) == 1
    first.cancel()
    await until(lambda: served.director.live == 0)


async def test_one_request_id_makes_one_video(serve, connect, requests, refuse, until):
    served = await serve()
    hold = asyncio.Event()
    served.director.before_chunk = hold.wait
    stub = connect(served)
    first = asyncio.create_task(consume(stub.Generate(iter(requests("a", request_id="same")))))
    await until(lambda: served.director.live == 1)
    error = await refuse(served, requests("a", request_id="same"))
    assert (
        error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    )  # a retry may come before the end of its first call is seen
    assert "'same'" in error.details()
    assert int(dict(error.trailing_metadata())[PUSHBACK_KEY]) == 15_000
    hold.set()
    assert (await first)[-1].HasField("done")
    assert len(served.director.specs) == 1


async def test_drain_flips_health_refuses_the_new_and_lets_the_accepted_finish(
    serve, connect, requests, refuse, until, health
):
    served = await serve()
    hold = asyncio.Event()
    served.director.before_chunk = hold.wait
    stub = connect(served)
    running = asyncio.create_task(consume(stub.Generate(iter(requests("a")))))
    await until(lambda: served.director.live == 1)
    shown = served.gateway.service.metrics.registry
    assert shown.get_sample_value("framecast_serving") == 1
    drained = asyncio.create_task(served.gateway.drain(10))
    await asyncio.sleep(0)
    assert await health(served) == NOT_SERVING
    served.gateway.set_serving(True)  # Triton is back
    assert await health(served) == NOT_SERVING
    assert shown.get_sample_value("framecast_serving") == 0
    error = await refuse(served, requests("b"))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert not drained.done()
    hold.set()
    assert (await running)[-1].HasField("done")
    await asyncio.wait_for(drained, 3)


async def test_what_outlives_the_grace_is_cancelled(serve, connect, requests, until):
    served = await serve()
    served.director.before_chunk = asyncio.Event().wait
    running = asyncio.create_task(consume(connect(served).Generate(iter(requests("a")))))
    await until(lambda: served.director.live == 1)
    await asyncio.wait_for(served.gateway.drain(0.1), 3)
    assert served.director.live == 0
    assert (await failed(running)).code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)


async def test_a_health_watcher_does_not_hold_up_the_stop(serve):
    served = await serve()
    async with grpc.aio.insecure_channel(served.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == SERVING
        stopped = asyncio.create_task(served.gateway.drain())
        assert (await watch.read()).status == NOT_SERVING
        await asyncio.wait_for(stopped, 3)


async def test_a_taken_port_is_an_error(serve, model):
    served = await serve()
    with pytest.raises(OSError, match="cannot listen on"):
        await start_gateway(GatewayConfig(address=served.address), served.director, model)


async def test_a_method_name_that_is_no_text_does_not_close_the_port(serve, connect, requests, until, health):
    """One such call ends grpcio's server; another one listens on the same port, and what is being filmed goes on."""
    served = await serve()
    held = asyncio.Event()
    served.director.before_chunk = held.wait
    running = connect(served).Generate(iter(requests(story="kitten")))
    await until(lambda: served.director.live == 1)

    async def answers() -> bool:
        try:
            return bool(await health(served) == SERVING)
        except grpc.aio.AioRpcError:
            return False

    for _ in range(2):
        with grpc.insecure_channel(served.address) as channel:
            call = channel.unary_unary(b"/framecast.v1.Video/G\xe9n\xe9rer", bytes, bytes)  # grpc-js sends it so
            with pytest.raises(grpc.RpcError):
                await asyncio.to_thread(call, b"", timeout=5)
        end = time.monotonic() + 5
        while not await answers():
            assert time.monotonic() < end, "nobody listens any more"
    held.set()
    assert [event.WhichOneof("event") async for event in running][-1] == "done"
    events = connect(served).Generate(iter(requests(story="kitten")))
    assert [event.WhichOneof("event") async for event in events][-1] == "done"
    await served.gateway.drain()
    with pytest.raises(grpc.aio.AioRpcError):
        await health(served)
