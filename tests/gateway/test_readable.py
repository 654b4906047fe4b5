"""Bytes that are no message: refused in one sentence, counted, and no fault of the server's."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest

from framecast.client.v1 import video_pb2 as pb
from framecast.client.v1 import video_pb2_grpc

GARBAGE = b"\xff\xff\xff\xff"


@pytest.mark.parametrize(
    ("method", "counted"), [("Generate", "generate"), ("Plan", "plan"), ("GetServerInfo", "server_info")]
)
async def test_it_is_the_callers_fault(
    serve: Callable[..., Awaitable[Any]], caplog: pytest.LogCaptureFixture, method: str, counted: str
) -> None:
    served = await serve()
    caplog.set_level(logging.INFO)
    async with grpc.aio.insecure_channel(served.address) as channel:
        path = f"/framecast.v1.Video/{method}"
        calls = {"Generate": channel.stream_stream, "Plan": channel.unary_stream, "GetServerInfo": channel.unary_unary}
        call = calls[method](path)(iter([GARBAGE]) if method == "Generate" else GARBAGE)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await (call if method == "GetServerInfo" else call.read())
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert refused.value.details() == (
            f"message: is not a framecast.v1.{method}Request in protobuf's wire format; every text in it must be UTF-8"
        )
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
    labels = {"method": counted, "code": "INVALID_ARGUMENT"}
    assert served.gateway.service.metrics.registry.get_sample_value("framecast_requests_total", labels) == 1


async def test_what_can_be_read_is_answered(serve: Callable[..., Awaitable[Any]]) -> None:
    served = await serve()
    async with grpc.aio.insecure_channel(served.address) as channel:
        stub = video_pb2_grpc.VideoStub(channel)
        assert (await stub.GetServerInfo(pb.GetServerInfoRequest())).bundle == "scripted"
        scenes = [scene.prompt async for scene in stub.Plan(pb.PlanRequest(text="Once."))]
        assert scenes == ["Once. 0", "Once. 1"]


@pytest.mark.parametrize("method", ["Check", "Watch"])
async def test_health_is_asked_in_its_own_words(
    serve: Callable[..., Awaitable[Any]], caplog: pytest.LogCaptureFixture, method: str
) -> None:
    served = await serve()
    async with grpc.aio.insecure_channel(served.address) as channel:
        call = (channel.unary_stream if method == "Watch" else channel.unary_unary)(f"/grpc.health.v1.Health/{method}")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await (call(GARBAGE).read() if method == "Watch" else call(GARBAGE))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == (
        "message: is not a grpc.health.v1.HealthCheckRequest in protobuf's wire format; every text in it must be UTF-8"
    )
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
