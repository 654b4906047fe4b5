"""Health: long names, watchers that do not read and watchers that leave are nobody else's matter."""

import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from framecast.gateway.health import Health

STATUS = health_pb2.HealthCheckResponse


class Watcher:
    """A call to Watch; it reads while `reads` is set."""

    def __init__(self, health: Health, service: str = "") -> None:
        self.reads = asyncio.Event()
        self.heard: list[int] = []
        self.task = asyncio.create_task(health.Watch(health_pb2.HealthCheckRequest(service=service), self))

    async def write(self, message: health_pb2.HealthCheckResponse) -> None:
        await self.reads.wait()
        self.heard.append(message.status)


async def test_who_does_not_read_and_who_leaves_hold_up_nobody(until) -> None:
    health = Health("framecast.v1.Video")
    mute, leaving, reading, other = Watcher(health), Watcher(health), Watcher(health), Watcher(health, "dance")
    for watcher in (leaving, reading, other):
        watcher.reads.set()
    await until(lambda: reading.heard == [STATUS.NOT_SERVING])
    leaving.task.cancel()
    health.set(True)
    await until(lambda: reading.heard == [STATUS.NOT_SERVING, STATUS.SERVING])
    health.set(False)
    await until(lambda: reading.heard == [STATUS.NOT_SERVING, STATUS.SERVING, STATUS.NOT_SERVING])
    assert other.heard == [STATUS.SERVICE_UNKNOWN]
    assert mute.heard == []
    health.set(True)
    mute.reads.set()  # what it missed is past: it hears what it was being told, and then what is now
    await until(lambda: mute.heard == [STATUS.NOT_SERVING, STATUS.SERVING])
    for watcher in (mute, reading, other):
        watcher.task.cancel()


async def test_a_long_name_of_a_service_is_cut_and_not_a_broken_stream() -> None:
    health, server = Health("framecast.v1.Video"), grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[no-untyped-call]
            with pytest.raises(grpc.aio.AioRpcError, match="x…") as caught:
                await check(health_pb2.HealthCheckRequest(service="x" * 50_000))
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    finally:
        await server.stop(None)
