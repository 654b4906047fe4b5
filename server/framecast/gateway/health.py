"""`grpc.health.v1`: what the gateway says of itself.

grpcio's own servicer writes to a watcher while it holds what a change of the status waits for, so that one who does not
read holds up everybody, the drain too; and one who leaves takes the others' news along.
"""

import asyncio
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from framecast.gateway.status import cut

_Status = health_pb2.HealthCheckResponse


class Health(health_pb2_grpc.HealthServicer):
    """Of the whole server and of its services, which serve together or not at all.

    Args:
        services: their full names.
    """

    def __init__(self, *services: str) -> None:
        self._names = {"", *services}
        self._serving = False
        self._changed = asyncio.Event()

    def set(self, serving: bool) -> None:
        """From now on it is said so, also to those who watch."""
        self._serving = serving
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def Check(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:  # noqa: N802
        """NOT_FOUND for a service that is none of its own, as the protocol has it."""
        status = self._status(request.service)
        if status == _Status.SERVICE_UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, cut(f"service: {request.service!r} is not served here", 200))
        return _Status(status=status)

    async def Watch(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:  # noqa: N802
        """The status now and after each change; who reads slowly hears the latest."""
        said = None
        while True:
            changed, status = self._changed, self._status(request.service)
            if status != said:
                await context.write(_Status(status=status))
                said = status
            await changed.wait()

    def _status(self, service: str) -> Any:
        if service not in self._names:
            return _Status.SERVICE_UNKNOWN
        return _Status.SERVING if self._serving else _Status.NOT_SERVING
