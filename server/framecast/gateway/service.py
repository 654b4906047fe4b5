"""The `framecast.v1.Video` service."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any, Protocol

import grpc
from google.protobuf.message import Message

from framecast.client.v1 import video_pb2 as pb
from framecast.client.v1 import video_pb2_grpc
from framecast.director.model import ServedModel
from framecast.director.video import Chunk, Done, Event, SceneStarted, StoryRequest, VideoSpec
from framecast.errors import Cancelled, DeadlineTooShort, InvalidRequest, StageUnavailable
from framecast.gateway import wire
from framecast.gateway.admission import Admission
from framecast.gateway.calls import Call, Spans
from framecast.gateway.config import GatewayConfig
from framecast.gateway.metrics import NOT_SERVING, GatewayMetrics
from framecast.gateway.requests import RequestStream
from framecast.gateway.review import PLAN, ContentReview
from framecast.gateway.status import abort, status_of
from framecast.gateway.validate import Validator
from framecast.planner.storyboard import Scene
from framecast.within import within

logger = logging.getLogger(__name__)


class Director(Protocol):
    """What the gateway needs of `framecast.director.director.Director`. Closing a generator drops its work."""

    def run(self, spec: VideoSpec, source: StoryRequest | AsyncIterator[Scene]) -> AsyncGenerator[Event, None]:
        """Films a story, or scenes as they arrive."""

    def plan(self, story: StoryRequest) -> AsyncGenerator[Scene, None]:
        """Plans a story's scenes."""


_EARLY = 0.1  # seconds


class VideoService(video_pb2_grpc.VideoServicer):
    """Validates, admits, streams.

    Attributes:
        serving: while False, new Generate and Plan calls are refused with UNAVAILABLE.
        videos, plans: who may go ahead.
        metrics: of everything it does.
    """

    def __init__(
        self,
        config: GatewayConfig,
        director: Director,
        model: ServedModel,
        metrics: GatewayMetrics,
        spans: Spans,
    ) -> None:
        self.serving = True
        self.videos = Admission(config.max_live_videos, config.max_queued_videos, "videos")
        self.plans = Admission(config.max_live_plans, config.max_queued_plans, "plans")
        self.metrics = metrics
        self.metrics.watch("generate", self.videos)
        self.metrics.watch("plan", self.plans)
        self._spans = spans
        self._config = config
        self._director = director
        self._model = model
        self._limits = config.limits.within(model.max_side)
        self._review = ContentReview(config.review, self.metrics)
        self._validator = Validator(model, self._limits, self._review.check)

    async def Generate(  # noqa: N802
        self,
        request_iterator: AsyncIterator[pb.GenerateRequest],
        context: grpc.aio.ServicerContext[pb.GenerateRequest, pb.GenerateEvent],
    ) -> None:
        """Films one video."""
        stream = RequestStream(request_iterator, self._validator, self._config.idle_seconds)
        async with self._answering(context, "generate") as call, stream:
            # 1. Validate the options and the story or first scene: a bad request takes nobody's place.
            spec = await stream.spec()
            call.request_id = spec.request_id
            source = await stream.source(spec)

            # 2. Admit or refuse.
            work = spec.width * spec.height * spec.steps
            with self.metrics.admitting():
                ticket = self.videos.admit(spec.request_id, work, context.time_remaining())
            with ticket:
                call.admitted(spec)
                logger.info("video accepted request_id=%s spec=%s peer=%s", spec.request_id, spec, context.peer())
                await self._send(context, wire.accepted(spec, ticket.first_frame_seconds))
                await ticket.turn()
                call.began()

                # 3. Film. A write waits while the caller does not read: that holds the director back.
                async with _named("story."), aclosing(self._director.run(spec, source)) as events:
                    async for event in events:
                        stream.check_nothing_follows()
                        if isinstance(event, SceneStarted) and isinstance(source, StoryRequest):
                            self._review.check("story.text", event.scene.prompt, PLAN)
                        if isinstance(event, Chunk):
                            self._review.check_pictures(event)
                        await self._send(context, wire.event(event))
                        call.sent(event)
                        if isinstance(event, Done):
                            call.finished(spec)
                            ticket.done(event.stats.first_chunk_seconds)
                            logger.info("video done request_id=%s stats=%s", spec.request_id, event.stats)

    async def Plan(  # noqa: N802
        self, request: pb.PlanRequest, context: grpc.aio.ServicerContext[pb.PlanRequest, pb.Scene]
    ) -> None:
        """Plans one story."""
        async with self._answering(context, "plan") as call:
            story = self._validator.story(request.text, request.max_scenes, prefix="")
            with self.metrics.admitting():
                ticket = self.plans.admit(call.request_id, seconds_left=context.time_remaining())
            with ticket:
                call.admitted()
                await ticket.turn()
                call.began()
                began, first = time.monotonic(), 0.0
                async with aclosing(self._director.plan(story)) as scenes:
                    async for scene in scenes:
                        self._review.check("text", scene.prompt, PLAN)
                        await self._send(context, wire.scene(scene))
                        first = first or time.monotonic() - began
                ticket.done(first)

    async def GetServerInfo(  # noqa: N802
        self,
        request: pb.GetServerInfoRequest,
        context: grpc.aio.ServicerContext[pb.GetServerInfoRequest, pb.ServerInfo],
    ) -> pb.ServerInfo:
        """What this server makes, and its limits."""
        Call("server_info", "", self.metrics, None).ended(grpc.StatusCode.OK)
        return wire.server_info(self._model, self._limits)

    async def _send(self, context: grpc.aio.ServicerContext[Any, Any], message: Message) -> None:
        """Waits until the message is on its way. A caller who left may be noticed here before the task is cancelled."""
        try:
            await within(self._config.unread_seconds, context.write(message))
        except grpc.aio.InternalError:
            raise Cancelled("the caller went away") from None
        except asyncio.TimeoutError:
            raise Cancelled(f"the caller has read nothing for {self._config.unread_seconds:g} s") from None

    @asynccontextmanager
    async def _answering(self, context: grpc.aio.ServicerContext[Any, Any], method: str) -> AsyncIterator[Call]:
        """Ends the call with the right status, whatever happens inside."""
        with self._spans(method, context) as span:
            call = Call(method, uuid.uuid4().hex, self.metrics, span)
            try:
                if not self.serving:
                    self.metrics.refused(NOT_SERVING)
                    raise StageUnavailable("the server is not serving now")
                with _time_limit(self._config.max_call_seconds):
                    yield call
                call.ended(grpc.StatusCode.OK)
            except asyncio.CancelledError:
                logger.info("call cancelled method=%s request_id=%s", method, call.request_id)
                left = context.time_remaining()
                late = left is not None and left <= _EARLY  # the caller's clock may cancel before ours has run out
                call.ended(grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED)
                raise
            except Exception as error:  # noqa: BLE001  (abort logs it and raises)
                status = status_of(error)
                call.ended(status.code, status.details)
                await abort(context, error, call.request_id)


@asynccontextmanager
async def _named(prefix: str) -> AsyncIterator[None]:
    """Names the planner's field as this call has it."""
    try:
        yield
    except InvalidRequest as error:
        raise InvalidRequest(prefix + error.field if error.field == "text" else error.field, error.remedy) from None


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raises DeadlineTooShort inside the block when it has run for `seconds`.

    Not `asyncio.wait_for`: that could not tell its own timeout from a TimeoutError raised in the block.
    """
    task = asyncio.current_task()
    expired = False

    def expire() -> None:
        nonlocal expired
        expired = True
        if task is not None:
            task.cancel()

    timer = asyncio.get_running_loop().call_later(seconds, expire)
    try:
        yield
    except asyncio.CancelledError:
        if expired:
            raise DeadlineTooShort(f"the call ran longer than the {seconds:g} s this server allows") from None
        raise
    finally:
        timer.cancel()
