"""The messages of one Generate call, in the only order that makes sense: options, then a story or scenes."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType

from google.protobuf.message import DecodeError

from framecast.client.v1 import video_pb2 as pb
from framecast.director.video import StoryRequest, VideoSpec
from framecast.errors import ContentRefused, DeadlineTooShort, InvalidRequest
from framecast.gateway.readable import unreadable
from framecast.gateway.validate import FilmLength, Validator
from framecast.planner.storyboard import Scene
from framecast.within import within

# A caller half-closes right after its story; this is how long we wait to see that nothing else came with it, and
# whether one who has said too little was going to say more.
HALF_CLOSE_SECONDS = 0.05


class RequestStream:
    """Reads and validates the messages of a call; an asynchronous context manager.

    Args:
        messages: as they arrive; the end is the caller's half-close.
        validator: for their fields.
        idle_seconds: the longest wait for a message that is needed.
    """

    def __init__(self, messages: AsyncIterator[pb.GenerateRequest], validator: Validator, idle_seconds: float) -> None:
        self._messages = messages
        self._validator = validator
        self._idle_seconds = idle_seconds
        self._after_story: asyncio.Task[pb.GenerateRequest | None] | None = None

    async def spec(self) -> VideoSpec:
        """The first message: the options. Raises InvalidRequest."""
        message = await self._needed()
        if message is None or not message.HasField("options"):
            raise InvalidRequest("options", "must be the first message")
        return self._validator.spec(message.options)

    async def source(self, spec: VideoSpec) -> "StoryRequest | PushedScenes":
        """The second message: the story, or the first of the scenes. Raises InvalidRequest."""
        message = await self._needed()
        if message is None:
            raise InvalidRequest("story", "is missing; send one story or at least one scene after the options")
        if message.HasField("story"):
            story = self._validator.story(message.story.text, message.story.max_scenes)
            self._after_story = asyncio.create_task(self._read())
            await asyncio.wait({self._after_story}, timeout=HALF_CLOSE_SECONDS)
            self.check_nothing_follows()
            return story
        film = self._validator.film(spec)
        return PushedScenes(self, film, self._scene(message, film))

    def check_nothing_follows(self) -> None:
        """Raises InvalidRequest when something came after a story."""
        if self._after_story is not None and self._after_story.done() and (message := self._after_story.result()):
            raise InvalidRequest(message.WhichOneof("message") or "message", "nothing may follow a story")

    async def next_scene(self, film: FilmLength) -> Scene | None:
        """The next scene; None at the caller's half-close. Raises InvalidRequest."""
        message = await self._next()
        return None if message is None else self._scene(message, film)

    async def __aenter__(self) -> "RequestStream":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._after_story is not None:
            self._after_story.cancel()
            await asyncio.wait({self._after_story})

    def _scene(self, message: pb.GenerateRequest, film: FilmLength) -> Scene:
        if not message.HasField("scene"):
            remedy = "only scenes may follow here: options come once and first, a story takes the place of scenes"
            raise InvalidRequest(message.WhichOneof("message") or "message", remedy)
        try:
            scene = self._validator.scene(message.scene, film.guidance_scale)
        except InvalidRequest as error:
            if not film.scenes:
                raise
            raise InvalidRequest(error.field, f"{error.remedy} (of scene {film.scenes + 1})") from None
        except ContentRefused as error:
            if not film.scenes:
                raise
            raise ContentRefused(f"{error} (of scene {film.scenes + 1})", error.category) from None
        film.add(scene)
        return scene

    async def _needed(self) -> pb.GenerateRequest | None:
        """`_next`. The messages of a caller who leaves end like those of one who has said all, and then he is gone."""
        if (message := await self._next()) is None:
            await asyncio.sleep(HALF_CLOSE_SECONDS)
        return message

    async def _next(self) -> pb.GenerateRequest | None:
        try:
            return await within(self._idle_seconds, self._read())
        except asyncio.TimeoutError:
            raise DeadlineTooShort(f"the next message did not come within {self._idle_seconds:g} s") from None

    async def _read(self) -> pb.GenerateRequest | None:
        try:
            return await anext(self._messages, None)
        except DecodeError:
            raise unreadable("framecast.v1.GenerateRequest") from None


class PushedScenes:
    """The scenes of a caller who films as he goes: each is validated when the director asks for it."""

    def __init__(self, stream: RequestStream, film: FilmLength, first: Scene) -> None:
        self._stream = stream
        self._film = film
        self._first: Scene | None = first

    def __aiter__(self) -> AsyncIterator[Scene]:
        return self

    async def __anext__(self) -> Scene:
        scene, self._first = self._first, None
        if scene is None:
            scene = await self._stream.next_scene(self._film)
        if scene is None:
            raise StopAsyncIteration
        return scene
