"""The blocking client."""

import itertools
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

from framecast.client import wire
from framecast.client.channel import DEFAULT_ADDRESS, ChannelOptions, call_metadata, require_address
from framecast.client.errors import Cancelled, DataLoss, from_rpc
from framecast.client.reading import Call, Unary, messages
from framecast.client.request import VideoRequest
from framecast.client.retry import Deadline, RetryPolicy
from framecast.client.tracing import client_span
from framecast.client.types import Chunk, Done, Event, Scene, ServerInfo, VideoOptions
from framecast.client.v1 import video_pb2 as pb
from framecast.client.v1 import video_pb2_grpc

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

T = TypeVar("T")


class VideoClient:
    """A connection to a Framecast server; a context manager. Safe to share between threads.

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
        self._metadata = call_metadata(token)
        self._retry = retry or RetryPolicy()
        self._tracer = tracer
        self._closed = threading.Event()
        self._channel = (channel or ChannelOptions()).open(address)
        self._stub = video_pb2_grpc.VideoStub(self._channel)

    def generate(
        self,
        story: str | None = None,
        *,
        scenes: Iterable[Scene] | None = None,
        options: VideoOptions | None = None,
        max_scenes: int = 0,
        timeout: float | None = None,
    ) -> Generator[Event, None, None]:
        """Makes a video; yields `Accepted`, then `SceneStarted` and `Chunk` in order, then `Done`.

        Leaving the loop, or closing the generator or the client, cancels the video at once.

        Args:
            story: text for the server's planner; or
            scenes: scenes to film, consumed (in a thread of gRPC's) as the server takes them: later ones may be
                made while earlier ones stream. A list or tuple can be sent again after a failure, an iterator not.
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
                lambda **call: self._stub.Generate(request.messages(), **call),
                wire.event_from_wire,
                lambda event: isinstance(event, Chunk),
                timeout,
                request,
            )
        )

    def plan(self, story: str, *, max_scenes: int = 0, timeout: float | None = None) -> Generator[Scene, None, None]:
        """Plans a story without filming it; yields each scene as soon as it is written. `timeout` in seconds."""
        request = wire.plan_to_wire(story, max_scenes)
        return self._tries(
            "Plan", lambda **call: self._stub.Plan(request, **call), wire.scene_from_wire, _always, timeout
        )

    def server_info(self, *, timeout: float | None = 10.0) -> ServerInfo:
        """What the server makes, and its limits. `timeout` in seconds."""
        request = pb.GetServerInfoRequest()
        answers = self._tries(
            "GetServerInfo",
            lambda **call: Unary(self._stub.GetServerInfo, request, **call),
            wire.info_from_wire,
            _always,
            timeout,
        )
        with closing(answers):
            return next(answers)

    def close(self) -> None:
        """Cancels every running call and closes the connection."""
        self._closed.set()
        self._channel.close()

    def __enter__(self) -> "VideoClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _tries(
        self,
        method: str,
        start: Callable[..., Call[Any]],
        convert: Callable[[Any], T],
        is_data: Callable[[T], bool],
        timeout: float | None,
        request: VideoRequest | None = None,
    ) -> Generator[T, None, None]:
        """Starts the call until one ends well, one has delivered data, or the policy gives up."""
        with client_span(self._tracer, method) as carried:
            yield from self._attempts(
                lambda **call: start(metadata=(*self._metadata, *carried), **call), convert, is_data, timeout, request
            )

    def _attempts(
        self,
        start: Callable[..., Call[Any]],
        convert: Callable[[Any], T],
        is_data: Callable[[T], bool],
        timeout: float | None,
        request: VideoRequest | None,
    ) -> Generator[T, None, None]:
        deadline = Deadline(timeout)
        replayable = request is None or request.replayable
        for attempt in itertools.count(1):
            if self._closed.is_set():
                raise Cancelled("the client was closed")
            try:
                with closing(messages(partial(start, timeout=deadline.remaining()))) as answers:
                    for message in answers:
                        item = convert(message)
                        replayable = replayable and not is_data(item)
                        yield item
                return
            except ValueError:  # gRPC's word for a channel that another thread has closed
                if self._closed.is_set():
                    raise Cancelled("the client was closed") from None
                raise
            except grpc.RpcError as failure:
                if request is not None and request.failure is not None:
                    raise request.failure from None
                if self._closed.is_set():
                    raise Cancelled("the client was closed") from None
                error = from_rpc(failure, self.address)
            delay = self._retry.delay(attempt, error, deadline) if replayable else None
            if delay is None:
                raise error
            self._closed.wait(delay)


def _always(_: object) -> bool:
    return True


def _whole(events: Generator[Event, None, None]) -> Generator[Event, None, None]:
    """The same events; a stream that ends without `Done` is an error."""
    done = False
    with closing(events):
        for event in events:
            done = isinstance(event, Done)
            yield event
    if not done:
        raise DataLoss("the server ended the stream before the video was complete")
