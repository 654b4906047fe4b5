"""Who may go ahead: decides at once, then lets the admitted in, first come first served."""

import asyncio
import time
from collections import deque

from framecast.errors import AtWork, DeadlineTooShort, Overloaded, StageUnavailable
from framecast.gateway.estimate import Estimator

SHORTEST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 30.0
UNKNOWN_RETRY_SECONDS = 5.0  # before the first job has ended; a caller has a handful of tries
TAKEN_RETRY_SECONDS = 15.0  # two such waits are longer than a dead connection lives


class Admission:
    """At most `max_live` at work and `max_queued` waiting; one loop's, not thread safe.

    Args:
        max_live, max_queued: places.
        noun: what is admitted, for messages: "videos" or "plans".
    """

    def __init__(self, max_live: int, max_queued: int, noun: str = "videos") -> None:
        self.max_live = max_live
        self.max_queued = max_queued
        self.estimator = Estimator()
        self._noun = noun
        self._draining = False
        self._tickets: dict[str, Ticket] = {}
        self._waiting: deque[Ticket] = deque()
        self._promised: deque[float] = deque()  # when those who were turned away will come back, ascending
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def live(self) -> int:
        """How many are at work."""
        return len(self._tickets) - len(self._waiting)

    @property
    def queued(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    def admit(self, request_id: str, work: float = 1.0, seconds_left: float | None = None) -> "Ticket":
        """Admits or refuses, without waiting.

        Args:
            request_id: one ticket at a time for each.
            work: size of the job, in any fixed unit.
            seconds_left: the caller's deadline.

        Raises:
            StageUnavailable: the server is shutting down.
            AtWork: the same request id is at work or waiting.
            Overloaded: every place and every waiting place is taken.
            DeadlineTooShort: not even the first frame can be ready in time.
        """
        if self._draining:
            raise StageUnavailable("the server is shutting down")
        if request_id in self._tickets:  # maybe a retry, and its first call is one whose end nobody has seen yet
            raise AtWork(
                f"options.request_id: {request_id!r} is at work already; wait for its end, or choose another",
                TAKEN_RETRY_SECONDS,
            )
        ahead = len(self._tickets) - self.max_live + 1  # places that must become free first
        if ahead > self.max_queued:
            raise Overloaded(
                f"all {self.max_live} places and {self.max_queued} waiting places for {self._noun} are taken",
                self._return_seconds(),
            )
        soonest = self._soonest_place(ahead) + self.estimator.fastest_first_frame_seconds(work)
        if seconds_left is not None and seconds_left < soonest:
            if seconds_left > 0:
                self.estimator.doubt()
            raise DeadlineTooShort(
                f"the deadline leaves {seconds_left:.1f} s and the first frame takes {soonest:.1f} s or more"
            )
        wait = self._wait_seconds(ahead)
        ticket = Ticket(self, request_id, work, wait + self.estimator.first_frame_seconds(work))
        self._tickets[request_id] = ticket
        self._idle.clear()
        if ahead > 0:
            self._waiting.append(ticket)
        else:
            self._let_in(ticket)
        return ticket

    def drain(self) -> None:
        """From now on nobody is admitted; those who are already keep their places."""
        self._draining = True

    async def idle(self) -> None:
        """Returns when nobody is at work or waiting."""
        await self._idle.wait()

    def _wait_seconds(self, places: int) -> float:
        """Until that many places have become free, by the usual service time; 0 when nothing is known."""
        return max(places, 0) * self.estimator.service_seconds() / self.max_live

    def _return_seconds(self) -> float:
        """When one who is turned away may come back: after those who were before him, not all at once for one place."""
        now = time.monotonic()
        while self._promised and self._promised[0] <= now:
            self._promised.popleft()
        wait = self._wait_seconds(len(self._promised) + 1) or UNKNOWN_RETRY_SECONDS
        wait = min(max(wait, SHORTEST_RETRY_SECONDS), LONGEST_RETRY_SECONDS)
        self._promised.append(max(now + wait, self._promised[-1] if self._promised else 0.0))
        return wait

    def _soonest_place(self, places: int) -> float:
        """Seconds until so many of those at work can have left, at the very least."""
        now = time.monotonic()
        ends = sorted(
            max(0.0, ticket.live_since + self.estimator.fastest_service_seconds(ticket.work) - now)
            for ticket in self._tickets.values()
            if ticket not in self._waiting
        )
        return ends[min(places, len(ends)) - 1] if places > 0 else 0.0

    def _let_in(self, ticket: "Ticket") -> None:
        ticket._begin()
        for each in self._tickets.values():
            if each not in self._waiting:
                each.company = max(each.company, self.live)

    def _leave(self, ticket: "Ticket") -> None:
        if self._tickets.pop(ticket.request_id, None) is None:
            return
        if ticket in self._waiting:
            self._waiting.remove(ticket)
        elif self._waiting:
            self._let_in(self._waiting.popleft())
        if not self._tickets:
            self._idle.set()


class Ticket:
    """One admitted job; a context manager that gives its place back, also one that was only waiting.

    Attributes:
        request_id: whose it is.
        work: its size.
        first_frame_seconds: estimate from now, waiting included; 0 when nothing is known.
        live_since: when it was let in, by the monotonic clock.
        company: the most that were at work while it was, itself among them.
    """

    def __init__(self, admission: Admission, request_id: str, work: float, first_frame_seconds: float) -> None:
        self.request_id = request_id
        self.first_frame_seconds = first_frame_seconds
        self._admission = admission
        self.work = work
        self._live = asyncio.Event()
        self.live_since = 0.0
        self.company = 1

    async def turn(self) -> None:
        """Returns when the job may begin."""
        await self._live.wait()

    def done(self, first_frame_seconds: float) -> None:
        """The job ended well; its times teach the estimator."""
        seconds = time.monotonic() - self.live_since
        self._admission.estimator.learn(self.work, first_frame_seconds, seconds, self.company)

    def __enter__(self) -> "Ticket":
        return self

    def __exit__(self, *_: object) -> None:
        self._admission._leave(self)

    def _begin(self) -> None:
        self.live_since = time.monotonic()
        self._live.set()
