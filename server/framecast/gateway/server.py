"""The gateway as a running server: service, health, reflection, start and graceful stop."""

import asyncio
import logging
from collections.abc import Coroutine

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from framecast.client.tracing import SERVICE
from framecast.client.v1 import video_pb2_grpc
from framecast.director.model import ServedModel
from framecast.gateway.address import credentials, gateway_address, require_free
from framecast.gateway.auth import BearerTokens
from framecast.gateway.calls import Spans, no_spans
from framecast.gateway.config import GatewayConfig
from framecast.gateway.health import Health
from framecast.gateway.listening import Listening
from framecast.gateway.metrics import GatewayMetrics
from framecast.gateway.readable import ReadableMessages
from framecast.gateway.service import Director, VideoService

logger = logging.getLogger(__name__)

_OTHER_CALLS = 64  # of one connection at once: plans, health, and videos that are being refused
# How long calls that have ended, or were just cancelled, may take to leave.
SETTLE_SECONDS = 1.0


class Gateway:
    """A started gateway (`start_gateway`).

    Attributes:
        port: it listens on.
        service: for its counts of live and queued videos, and its metrics.
    """

    def __init__(self, listening: Listening, service: VideoService, health: Health, port: int, grace: float) -> None:
        self.port = port
        self.service = service
        self._listening = listening
        self._health = health
        self._grace = grace
        self._draining = self._stopped = False
        service.metrics.serving.set_function(lambda: service.serving and not self._draining)

    def set_serving(self, serving: bool) -> None:
        """Health says so, and new calls are refused with UNAVAILABLE while it is False; running ones go on."""
        if serving != self.service.serving:
            logger.info("gateway serving=%s", serving)
        self.service.serving = serving
        self._health.set(serving and not self._draining)

    async def drain(self, grace: float | None = None) -> None:
        """Stops: health flips, new calls are refused, accepted ones may finish, what is left is cancelled.

        A gateway that has stopped stays so, and a second call returns at once.

        Args:
            grace: seconds to finish; None is the configured time.
        """
        if self._stopped:
            return
        grace = self._grace if grace is None else grace
        videos, plans = self.service.videos, self.service.plans
        logger.info("gateway drains live=%d queued=%d grace=%g", videos.live, videos.queued, grace)
        self._draining = True  # whatever becomes of Triton meanwhile
        self._health.set(False)
        videos.drain()
        plans.drain()
        # The port stays open meanwhile: probes must be able to read NOT_SERVING, callers a clear refusal.
        if await _idle(videos.idle(), plans.idle(), timeout=grace):
            await self._listening.stop(SETTLE_SECONDS)
        else:
            await self._listening.stop(None)
            await _idle(videos.idle(), plans.idle(), timeout=SETTLE_SECONDS)
        self._stopped = True
        logger.info("gateway stopped")

    async def stop(self) -> None:
        """Stops now; what runs is cancelled."""
        await self.drain(0)


async def start_gateway(
    config: GatewayConfig,
    director: Director,
    model: ServedModel,
    metrics: GatewayMetrics | None = None,
    spans: Spans = no_spans,
) -> Gateway:
    """Starts serving.

    Args:
        config: see `GatewayConfig`.
        director: makes the videos.
        model: what it makes them with.
        metrics: are told of every call; the gateway has its own if there are none.
        spans: opens the span of a call.

    Raises:
        OSError: the address cannot be listened on, or a TLS file cannot be read.
    """
    metrics = metrics or GatewayMetrics()
    service = VideoService(config, director, model, metrics, spans)
    said = Health(SERVICE)
    require_free(config.address)
    host, _ = gateway_address(config.address)
    listening = Listening(
        lambda: _server(config, service, said, metrics), lambda server, port: _listen(config, server, port), host
    )
    said.set(True)
    port = await listening.start()
    gateway = Gateway(listening, service, said, port, config.grace_seconds)
    logger.info("gateway listens address=%s port=%d", config.address, port)
    return gateway


def _server(config: GatewayConfig, service: VideoService, said: Health, metrics: GatewayMetrics) -> grpc.aio.Server:
    """A server with all services, which does not listen yet."""
    server = grpc.aio.server(
        interceptors=[*([BearerTokens(config.tokens, metrics)] if config.tokens else []), ReadableMessages(metrics)],
        options=[
            ("grpc.so_reuseport", 0),  # a second gateway on the same port must fail, not share it
            ("grpc.max_receive_message_length", config.max_request_bytes),
            ("grpc.max_send_message_length", config.max_response_bytes),
            ("grpc.keepalive_time_ms", int(config.keepalive_seconds * 1000)),
            ("grpc.keepalive_timeout_ms", int(config.keepalive_timeout_seconds * 1000)),
            ("grpc.keepalive_permit_without_calls", 1),  # a dead peer that asks for nothing has a connection too
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.http2.min_ping_interval_without_data_ms", 5000),
            # Calls whose callers do not read cannot even be told that they have ended: each keeps a chunk for as long
            # as its connection, so that a connection has no more of them than there are places.
            ("grpc.max_concurrent_streams", config.max_live_videos + config.max_queued_videos + _OTHER_CALLS),
        ],
    )
    video_pb2_grpc.add_VideoServicer_to_server(service, server)
    health_pb2_grpc.add_HealthServicer_to_server(said, server)
    reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    return server


def _listen(config: GatewayConfig, server: grpc.aio.Server, port: int) -> int:
    """On the address, or on `port` of its host if that is not 0; returns the port. Raises OSError."""
    address = f"{config.address.rpartition(':')[0]}:{port}" if port else config.address
    try:
        if config.tls_certificate and config.tls_key:
            found = server.add_secure_port(address, credentials(config.tls_certificate, config.tls_key))
        else:
            found = server.add_insecure_port(address)
    except RuntimeError:
        found = 0
    if not found:
        raise OSError(f"cannot listen on {address}; is it host:port, and the port free?")
    return int(found)


async def _idle(*waits: Coroutine[None, None, None], timeout: float) -> bool:
    tasks = {asyncio.create_task(wait) for wait in waits}
    _, pending = await asyncio.wait(tasks, timeout=timeout)
    for task in pending:
        task.cancel()
    return not pending
