"""One simulated video: the director's pipeline as a state machine.

Two workers, as in `framecast.director.director`: one makes items (a scene's start, with its text states; a segment,
denoised), the other takes them and makes chunks. Between them wait at most `segments_ahead` items, so the first one
blocks when the second is slow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any

from framecast.bench.capacity.film import Film
from framecast.bench.capacity.service import ServiceModel


class Status(IntEnum):
    """What became of a video."""

    UNKNOWN = 0
    DONE = 1
    REFUSED = 2
    FAILED = 3


@dataclass(frozen=True)
class Script:
    """A film as the simulator plays it.

    Attributes:
        film: the film.
        items: None where a scene starts, else the (decode, encode) seconds of a segment's chunks.
    """

    film: Film
    items: tuple[tuple[tuple[float, float], ...] | None, ...]


@lru_cache(maxsize=1024)
def script(film: Film, service: ServiceModel) -> Script:
    """The items of `film` with their costs."""
    items: list[tuple[tuple[float, float], ...] | None] = []
    for scene in film.scenes:
        items.append(None)
        items.extend(
            tuple((service.decode(frames, film.scale), service.encode(frames, film.scale)) for frames in segment)
            for segment in scene
        )
    return Script(film, tuple(items))


class Video:
    """A video's place in its script. The simulator moves it.

    Attributes:
        index: in the run.
        script: what it consists of.
        replica: who makes it.
        made, taken: items made, and taken for decoding.
        ahead: items between the two workers.
        blocked: the first worker holds an item that does not fit.
        idle: the second worker waits for an item.
        chunk: of the item at the second worker.
        scenes: of which the first worker has begun.
        ready: when the planner has written each scene.
        over: it has ended, well or not.
        full_since: since when the batcher has no place for its segment; infinity: it has.
    """

    __slots__ = (
        *("index", "script", "replica", "made", "taken", "ahead", "blocked", "idle", "chunk", "scenes", "ready"),
        *("over", "first", "full_since"),
    )

    def __init__(self, index: int, script: Script, replica: Any) -> None:
        self.index = index
        self.script = script
        self.replica: Any = replica
        self.made = self.taken = self.ahead = self.chunk = self.scenes = 0
        self.blocked = self.over = self.first = False
        self.idle = True
        self.full_since = math.inf
        self.ready: Sequence[float] = ()


@dataclass(frozen=True)
class Company:
    """What the other videos on a replica do to one.

    Attributes:
        text, decode, encode: factors on the seconds of its calls, waiting for the others' included.
        joining: seconds that each of its segments waits for the next step's boundary.
    """

    text: float = 1.0
    decode: float = 1.0
    encode: float = 1.0
    joining: float = 0.0


NOBODY = Company()


def alone(
    film: Film,
    service: ServiceModel,
    step: float | None = None,
    company: Company = NOBODY,
    segments_ahead: int = 1,
) -> tuple[float, float]:
    """Seconds to the first chunk and to the end of a video that finds every stage free: the same pipeline as a
    recursion. Waiting for a place is not included.

    Args:
        film, service: the video and its costs.
        step: seconds of one of its denoise steps; left out, that of a batch of one.
        company: what others do to it.
        segments_ahead: see `Replica`.
    """
    step = service.step.seconds(1) * film.scale if step is None else step
    items = script(film, service).items
    made = 0.0  # when the first worker has put its last item
    taken: list[float] = []  # when the second worker took each item
    free = 0.0  # when the second worker is done with its last one
    first, scene = 0.0, 0
    text_until = 0.0
    for index, chunks in enumerate(items):
        start = max(made, text_until)
        if chunks is None:
            scene += 1
            written = service.plan_fixed + scene * service.plan_scene + service.call if film.planned else 0.0
            finished = max(start, written)
        else:
            finished = start + company.joining + film.steps * step + service.call
        blocked = taken[index - segments_ahead] if index >= segments_ahead else 0.0
        made = max(finished, blocked)
        taken.append(max(made, free))
        free = taken[-1]
        if chunks is None:
            text_until = made + service.text * company.text + service.call
            continue
        for decode, encode in chunks:
            free += decode * company.decode + encode * company.encode + service.call
            first = first or free
    return first + service.wire, free + service.wire
