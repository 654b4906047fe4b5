"""The asynchronous client, on grpc.aio."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from contextlib import aclosing
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

from framecast.client import wire
from framecast.client.channel import DEFAULT_ADDRESS, ChannelOptions, call_metadata, require_address
from framecast.client.errors import Cancelled, DataLoss, from_rpc
from framecast.client.request import VideoRequest
from framecast.client.retry import Deadline, RetryPolicy
from framecast.client.status import SentStatus
from framecast.client.tracing import client_span
from framecast.client.types import Chunk, Done, Event, Scene, ServerInfo, VideoOptions
from framecast.client.v1 import video_pb2 as pb
from framecast.client.v1 import video_pb2_grpc

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

T = TypeVar("T")


class AsyncVideoClient:
    """A connection to a Framecast server; an asynchronous context manager. It belongs to one event loop.

    Args:
        address: host:port.
        token: sent as ``authorization: Bearer …`` with every call; empty sends none.
        channel: TLS, keepalive and limits.
        retry: when a failed call is tried again.
        tracer: makes a span of every call and sends its W3C context along; None does neither.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        token: str = "",
        channel: ChannelOptions | None = None,
        retry: RetryPolicy | None = None,
        tracer: "Tracer | None" = None,
    ) -> None:
        require_address(address)
        self.address = address
        self._settings = channel or ChannelOptions()
        self._metadata = call_metadata(token)
        self._retry = retry or RetryPolicy()
        self._tracer = tracer
        self._closed = asyncio.Event()
        self._channel: Any = None  # made by the first call, inside the loop it belongs to
        self._stub: Any = None

    def generate(
        self,
        story: str | None = None,
        *,
        scenes: Iterable[Scene] | AsyncIterable[Scene] | None = None,
        options: VideoOptions | None = None,
        max_scenes: int = 0,
        timeout: float | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Makes a video; yields `Accepted`, then `SceneStarted` and `Chunk` in order, then `Done`.

        Cancelling the task, or closing the generator or the client, cancels the video at once; whoever leaves the
        loop early and keeps the generator closes it (``contextlib.aclosing``).

        Args:
            story: text for the server's planner; or
            scenes: scenes to film, an iterable or asynchronous iterable consumed as the server takes them: later
                ones may be made while earlier ones stream. A list or tuple can be sent again after a failure, an
                iterator not.
            options: how the video is made.
            max_scenes: of a story; 0 is the server's default.
            timeout: seconds for the whole video, tries included; None waits for ever.

        Raises:
            FramecastClientError: see `framecast.client.errors`. An exception of `scenes` is raised as it is.
        """
        request = VideoRequest(story, scenes, options, max_scenes)
        return _whole(
            self._tries(
                "Generate",
                lambda **call: self._stub.Generate(request.messages_async(), **call),
                wire.event_from_wire,
                lambda event: isinstance(event, Chunk),
                timeout,
                request,
            )
        )

    def plan(self, story: str, *, max_scenes: int = 0, timeout: float | None = None) -> AsyncGenerator[Scene, None]:
        """Plans a story without filming it; yields each scene as soon as it is written. `timeout` in seconds."""
        request = wire.plan_to_wire(story, max_scenes)
        return self._tries(
            "Plan", lambda **call: self._stub.Plan(request, **call), wire.scene_from_wire, _always, timeout
        )

    async def server_info(self, *, timeout: float | None = 10.0) -> ServerInfo:
        """What the server makes, and its limits. `timeout` in seconds."""
        request = pb.GetServerInfoRequest()
        answers = self._tries(
            "GetServerInfo",
            lambda **call: _Single(self._stub.GetServerInfo(request, **call)),
            wire.info_from_wire,
            _always,
            timeout,
        )
        async with aclosing(answers):
            return await answers.__anext__()

    async def close(self) -> None:
        """Cancels every running call and closes the connection."""
        self._closed.set()
        if self._channel is not None:
            await self._channel.close()

    async def __aenter__(self) -> "AsyncVideoClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _connect(self) -> None:
        self._channel = self._settings.open(self.address, grpc.aio)
        self._stub = video_pb2_grpc.VideoStub(self._channel)

    async def _tries(
        self,
        method: str,
        start: Callable[..., AsyncIterable[Any]],
        convert: Callable[[Any], T],
        is_data: Callable[[T], bool],
        timeout: float | None,
        request: VideoRequest | None = None,
    ) -> AsyncGenerator[T, None]:
        """Starts the call until one ends well, one has delivered data, or the policy gives up."""
        with client_span(self._tracer, method) as carried:
            attempts = self._attempts(
                lambda **call: start(metadata=(*self._metadata, *carried), **call), convert, is_data, timeout, request
            )
            async with aclosing(attempts):
                async for item in attempts:
                    yield item

    async def _attempts(
        self,
        start: Callable[..., AsyncIterable[Any]],
        convert: Callable[[Any], T],
        is_data: Callable[[T], bool],
        timeout: float | None,
        request: VideoRequest | None,
    ) -> AsyncGenerator[T, None]:
        deadline = Deadline(timeout)
        replayable = request is None or request.replayable
        for attempt in itertools.count(1):
            if self._closed.is_set():
                raise Cancelled("the client was closed")
            if self._channel is None:
                self._connect()
            call: Any = None
            try:
                call = start(timeout=deadline.remaining())
                status = SentStatus(call)
                async for message in call:
                    item = convert(message)
                    replayable = replayable and not is_data(item)
                    yield item
                return
            except asyncio.CancelledError:
                # grpc.aio reports a call that was cancelled on this side like the cancellation of the task.
                if request is not None and request.failure is not None:
                    raise request.failure from None
                if self._closed.is_set():
                    raise Cancelled("the client was closed") from None
                raise
            except grpc.aio.AioRpcError as failure:
                if request is not None and request.failure is not None:
                    raise request.failure from None
                if self._closed.is_set():
                    raise Cancelled("the client was closed") from None
                error = from_rpc(status.prefer(failure), self.address)
            finally:
                if call is not None:
                    call.cancel()
            delay = self._retry.delay(attempt, error, deadline) if replayable else None
            if delay is None:
                raise error
            closing = asyncio.ensure_future(self._closed.wait())
            try:
                await asyncio.wait({closing}, timeout=delay)
            finally:
                closing.cancel()


class _Single:
    """A unary call that reads like a stream of one message."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.add_done_callback = call.add_done_callback
        self.cancel = call.cancel

    async def __aiter__(self) -> AsyncGenerator[Any, None]:
        yield await self._call


def _always(_: object) -> bool:
    return True


async def _whole(events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """The same events; a stream that ends without `Done` is an error."""
    done = False
    async with aclosing(events):
        async for event in events:
            done = isinstance(event, Done)
            yield event
    if not done:
        raise DataLoss("the server ended the stream before the video was complete")
