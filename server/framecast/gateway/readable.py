"""Messages that cannot be read: the caller's fault, told as such and counted.

gRPC reads the one message of a unary call before its handler, and calls what it cannot read UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc
from google.protobuf.message import DecodeError

from framecast.errors import InvalidRequest
from framecast.gateway.calls import Call
from framecast.gateway.metrics import GatewayMetrics
from framecast.gateway.status import abort

# What each method reads, and what its calls are counted as, where they are.
_METHODS = {
    "/framecast.v1.Video/Plan": ("framecast.v1.PlanRequest", "plan"),
    "/framecast.v1.Video/GetServerInfo": ("framecast.v1.GetServerInfoRequest", "server_info"),
    "/grpc.health.v1.Health/Check": ("grpc.health.v1.HealthCheckRequest", ""),
    "/grpc.health.v1.Health/Watch": ("grpc.health.v1.HealthCheckRequest", ""),
}


def unreadable(kind: str) -> InvalidRequest:
    """What whoever sent bytes that are no message of this kind, its full name, is told."""
    return InvalidRequest("message", f"is not a {kind} in protobuf's wire format; every text in it must be UTF-8")


class ReadableMessages(grpc.aio.ServerInterceptor):
    """Refuses unary calls whose message cannot be read; streams are read by `framecast.gateway.requests`."""

    def __init__(self, metrics: GatewayMetrics) -> None:
        self._metrics = metrics

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler, behind one that looks at what was read."""
        handler: Any = await continuation(handler_call_details)
        if handler is None or handler_call_details.method not in _METHODS:
            return cast("grpc.RpcMethodHandler[Any, Any] | None", handler)
        kind, counted = _METHODS[handler_call_details.method]
        make: Any = grpc.unary_unary_rpc_method_handler
        if handler.response_streaming:
            make = grpc.unary_stream_rpc_method_handler
        answer = handler.unary_stream if handler.response_streaming else handler.unary_unary

        def read(data: bytes) -> Any:
            try:
                return handler.request_deserializer(data)
            except DecodeError:
                return None

        async def checked(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            if request is None:
                if counted:
                    Call(counted, "", self._metrics, None).ended(grpc.StatusCode.INVALID_ARGUMENT)
                await abort(context, unreadable(kind), "")
            return await answer(request, context)

        return cast("grpc.RpcMethodHandler[Any, Any]", make(checked, read, handler.response_serializer))
