"""One video as it is asked for: what is sent, and whether it can be sent again."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence

from framecast.client import wire
from framecast.client.errors import InvalidArgument
from framecast.client.types import Scene, VideoOptions
from framecast.client.v1 import video_pb2 as pb


class VideoRequest:
    """A story, or scenes that may still be coming.

    Args:
        story: text for the server's planner; or
        scenes: any iterable (asynchronous ones only for the asynchronous client), consumed as the server takes them.
        options: how the video is made.
        max_scenes: of a story; 0 is the server's default.

    Raises:
        InvalidArgument: both or neither of story and scenes, or a value that does not fit its field.
    """

    def __init__(
        self,
        story: str | None,
        scenes: Iterable[Scene] | AsyncIterable[Scene] | None,
        options: VideoOptions | None,
        max_scenes: int,
    ) -> None:
        if (story is None) == (scenes is None):
            raise InvalidArgument("story: give either a story or scenes")
        if scenes is not None and not isinstance(scenes, AsyncIterable) and not _iterates(scenes):
            raise InvalidArgument(f"scenes: a {type(scenes).__name__} is no list of scenes; write [Scene(…)]")
        if options is not None and not isinstance(options, VideoOptions):
            raise InvalidArgument(f"options: a {type(options).__name__} is no VideoOptions; write VideoOptions(…)")
        if max_scenes and story is None:
            raise InvalidArgument("max_scenes: limits the scenes of a story; scenes that you send need no limit")
        self._head = [pb.GenerateRequest(options=wire.options_to_wire(wire.named(options)))]
        self._scenes: Iterable[Scene] | AsyncIterable[Scene] = ()
        if story is not None:
            self._head.append(pb.GenerateRequest(story=wire.story_to_wire(story, max_scenes)))
        elif isinstance(scenes, Sequence):
            self._head.extend(map(_scene_request, scenes))
        elif scenes is not None:
            self._scenes = scenes
        #: An iterable that has been consumed cannot be sent again.
        self.replayable = story is not None or isinstance(scenes, Sequence)
        #: What the caller's iterable raised, to be raised again where the caller reads events.
        self.failure: BaseException | None = None

    def messages(self) -> Iterator[pb.GenerateRequest]:
        """What goes over the wire, in order."""
        yield from self._head
        if isinstance(self._scenes, AsyncIterable):
            self.failure = InvalidArgument("scenes: an asynchronous iterable needs AsyncVideoClient")
            raise self.failure
        try:
            for scene in self._scenes:
                yield _scene_request(scene)
        except GeneratorExit:
            raise
        except BaseException as error:
            self.failure = error
            # gRPC ends the call for an Exception; of a SystemExit it takes no notice, and everybody waits.
            raise RuntimeError("the scenes could not be sent") from error

    async def messages_async(self) -> AsyncIterator[pb.GenerateRequest]:
        """The same for the asynchronous client."""
        for message in self._head:
            yield message
        try:
            if isinstance(self._scenes, AsyncIterable):
                async for scene in self._scenes:
                    yield _scene_request(scene)
            else:
                for scene in self._scenes:
                    yield _scene_request(scene)
        except Exception as error:
            self.failure = error
            raise


def _scene_request(scene: Scene) -> pb.GenerateRequest:
    if not isinstance(scene, Scene):
        raise InvalidArgument(f"scenes: {scene!r:.60} is no Scene; write Scene({scene!r:.60})")
    return pb.GenerateRequest(scene=wire.scene_to_wire(scene))


def _iterates(scenes: object) -> bool:
    try:
        iter(scenes)  # type: ignore[call-overload]
    except TypeError:
        return False
    return True
