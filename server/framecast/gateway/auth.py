"""Bearer tokens. Health checks and reflection stay open: probes and tools carry none."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import grpc

from framecast.errors import Unauthenticated
from framecast.gateway.metrics import UNAUTHENTICATED, GatewayMetrics
from framecast.gateway.status import abort

OPEN_SERVICES = ("/grpc.health.v1.Health/", "/grpc.reflection.")


class BearerTokens(grpc.aio.ServerInterceptor):
    """Refuses calls that carry none of `tokens`, and counts them in `metrics`."""

    def __init__(self, tokens: Iterable[str], metrics: GatewayMetrics) -> None:
        self._metrics = metrics
        self._expected = [token.encode() for token in tokens]
        # A handler of this kind refuses calls of every kind without reading their messages first.
        self._refuse: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(_refuse)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Lets the call through or hands out the handler that refuses it."""
        if handler_call_details.method.startswith(OPEN_SERVICES) or self._accepts(handler_call_details):
            return await continuation(handler_call_details)
        self._metrics.refused(UNAUTHENTICATED)
        return self._refuse

    def _accepts(self, details: grpc.HandlerCallDetails) -> bool:
        given = b""
        for key, value in details.invocation_metadata or ():
            if key == "authorization":
                scheme, _, token = (value.encode() if isinstance(value, str) else value).partition(b" ")
                given = token if scheme.lower() == b"bearer" else b""  # RFC 9110, 11.1: in either case
        # Every token is compared, in constant time, so that timing tells nothing about any of them.
        same = [hmac.compare_digest(given, expected) for expected in self._expected]
        return bool(given) and any(same)


async def _refuse(_: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    await abort(context, Unauthenticated("this server wants 'authorization: Bearer <token>' with a valid token"), "")
