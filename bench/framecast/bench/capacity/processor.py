"""A simulated replica's processor: a run of denoise steps and the chunks that are decoded beside it.

Where both share one device, each goes on at 1 ÷ (1 + share) of its pace while the other is at work: processor sharing
of two classes. Ends are events; whenever a class begins or ceases, the ends of what is under way move.
"""

import heapq
import math
from collections.abc import Callable
from typing import Any


class Events:
    """What is still to happen, earliest first.

    Attributes:
        now: seconds.
    """

    __slots__ = ("_heap", "_sequence", "now")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self._sequence = 0
        self.now = 0.0

    def at(self, when: float, then: Callable[[Any], None], whose: Any) -> None:
        """Calls `then(whose)` when it is time."""
        self._sequence += 1
        heapq.heappush(self._heap, (when, self._sequence, then, whose))

    @property
    def next(self) -> float:
        """When the next one is due; never: infinity."""
        return self._heap[0][0] if self._heap else math.inf

    def happen(self) -> None:
        """Moves the time to the next one."""
        self.now, _, then, whose = heapq.heappop(self._heap)
        then(whose)


class Task:
    """Work on a processor.

    Attributes:
        began: when.
        left: seconds of work, as of `since`.
        then, whose: called at its end.
    """

    __slots__ = ("began", "left", "since", "then", "version", "whose")

    def __init__(self, work: float, then: Callable[[Any], None], whose: Any) -> None:
        self.left, self.then, self.whose = work, then, whose
        self.began = self.since = 0.0
        self.version = 0  # of its end; earlier ones among the events count for nothing


class Processor:
    """Of one replica.

    Attributes:
        run: the denoise steps under way.
        decoding: the chunks that are being decoded.
    """

    __slots__ = ("_events", "_pace", "_slow", "decoding", "run")

    def __init__(self, events: Events, share: float) -> None:
        self._events, self._pace, self._slow = events, 1.0, 1 / (1 + share)
        self.run: Task | None = None
        self.decoding: list[Task] = []

    def denoise(self, task: Task | None) -> None:
        """The next run of steps takes the place of the last; None: nobody waits for one."""
        self.run = task
        self._begin(task)

    def decode(self, task: Task) -> None:
        """A chunk begins."""
        self.decoding.append(task)
        self._begin(task)

    def decoded(self, task: Task, following: Task | None) -> None:
        """A chunk has ended, and another one may take its place."""
        self.decoding.remove(task)
        if following:
            self.decoding.append(following)
        self._begin(following)

    def left(self, task: Task) -> float:
        """Seconds of work left now."""
        task.left -= (self._events.now - task.since) * self._pace
        task.since = self._events.now
        return task.left

    def shorten(self, task: Task, work: float) -> None:
        """Leaves out so many seconds of its work."""
        task.left -= work
        self._expect(task)

    def drop(self) -> None:
        """The run is lost."""
        if self.run:
            self.run.version += 1
        self.denoise(None)

    def _begin(self, task: Task | None) -> None:
        if task:
            task.began = task.since = self._events.now
        pace = self._slow if self.run and self.decoding else 1.0
        if pace != self._pace:
            under_way = (*self.decoding, *([self.run] if self.run else []))
            for each in under_way:
                self.left(each)
            self._pace = pace
            for each in under_way:
                self._expect(each)
        elif task:
            self._expect(task)

    def _expect(self, task: Task) -> None:
        task.version += 1
        self._events.at(self._events.now + max(0.0, task.left) / self._pace, self._end, (task, task.version))

    def _end(self, which: tuple[Task, int]) -> None:
        task, version = which
        if version == task.version:
            task.then(task.whose)
