"""Watchers that do not read and watchers that leave are nobody else's matter."""

import asyncio

from grpc_health.v1 import health_pb2

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
