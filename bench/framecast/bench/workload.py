"""What a load asks for: which videos, in which order."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace

from framecast.bench.kind import Kind
from framecast.client import AsyncVideoClient, Event, Scene, VideoOptions


@dataclass(frozen=True)
class Ask:
    """One video: a story for the planner, or scenes."""

    options: VideoOptions
    story: str | None = None
    scenes: tuple[Scene, ...] = ()

    @property
    def kind(self) -> Kind:
        """What matters of it to whoever plans."""
        shape, seconds = self.options, tuple(scene.seconds for scene in self.scenes)
        return Kind(seconds, shape.steps, shape.width, shape.height, shape.fps, planned=self.story is not None)


#: Starts a video; the generator yields the client's events.
Generate = Callable[[Ask], AsyncGenerator[Event, None]]


@dataclass(frozen=True)
class Workload:
    """Videos in turn, each with a seed of its own, so that no two are the same work by accident.

    Attributes:
        asks: what is asked for; after the last comes the first again.
        seed: of the first video; the next has seed + 1.
    """

    asks: tuple[Ask, ...]
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.asks:
            raise ValueError("a workload needs at least one video")

    def order(self) -> tuple[list[Kind], list[int]]:
        """The kinds of video, and which kind each of `asks` is."""
        kinds: dict[Kind, int] = {}
        order = [kinds.setdefault(ask.kind, len(kinds)) for ask in self.asks]
        return list(kinds), order

    def ask(self, index: int) -> Ask:
        """Video number `index`."""
        ask = self.asks[index % len(self.asks)]
        return replace(ask, options=replace(ask.options, seed=self.seed + index, request_id=""))


def generator(client: AsyncVideoClient, timeout: float | None = None) -> Generate:
    """Videos by a real client. Give it one that does not retry: a refusal is a result.

    Args:
        client: connected or not.
        timeout: seconds for a video.
    """
    return lambda ask: client.generate(ask.story, scenes=ask.scenes or None, options=ask.options, timeout=timeout)
