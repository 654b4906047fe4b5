"""What recent videos say about the next one."""

from collections import deque
from dataclasses import dataclass
from statistics import fmean, median


@dataclass(frozen=True)
class _Video:
    """One that ended well: its work (any fixed unit), seconds to its first frame and at work, and the most videos that
    were at work while it was, itself among them.
    """

    work: float
    first_frame: float
    service: float
    company: int


class Estimator:
    """Learns from the last `memory` videos that ended well.

    A time is a fixed part and a part that grows with the work. From a larger video a smaller one's is scaled down;
    from a smaller video a larger one's is only known to be no shorter. So of videos like those that are known an
    estimate may be too low, never too high: nobody is refused for what a small first video cost. And who shared the
    server with others might have been so many times as fast alone: nobody is refused for a busy spell that is over.
    """

    def __init__(self, memory: int = 16) -> None:
        self._videos: deque[_Video] = deque(maxlen=memory)
        self._doubted = 0  # of the oldest, which no longer say what is hopeless

    def learn(self, work: float, first_frame_seconds: float, service_seconds: float, company: int = 1) -> None:
        """One video has ended."""
        if len(self._videos) == self._videos.maxlen:
            self._doubted = max(0, self._doubted - 1)
        self._videos.append(_Video(work, first_frame_seconds, service_seconds, company))

    def doubt(self) -> None:
        """Somebody was refused for what is known, and never tells whether that was right: the oldest video no longer
        counts against the next caller. Estimates stay what they are.

        Else a server that was slow for a while would refuse all who are in a hurry, for good.
        """
        self._doubted = min(self._doubted + 1, len(self._videos))

    def first_frame_seconds(self, work: float) -> float:
        """Usual time to the first frame once a video is live; 0 when nothing is known."""
        return median(_scaled(each.first_frame, each, work) for each in self._videos) if self._videos else 0.0

    def fastest_first_frame_seconds(self, work: float) -> float:
        """The same at its best: what cannot even beat this is hopeless; 0 when nothing is known."""
        return min((_scaled(each.first_frame, each, work) / each.company for each in self._trusted()), default=0.0)

    def service_seconds(self) -> float:
        """How long a video usually keeps its place; 0 when nothing is known."""
        return fmean(each.service for each in self._videos) if self._videos else 0.0

    def fastest_service_seconds(self, work: float) -> float:
        """The same at its best; 0 when nothing is known."""
        return min((_scaled(each.service, each, work) / each.company for each in self._trusted()), default=0.0)

    def _trusted(self) -> list[_Video]:
        return list(self._videos)[self._doubted :]


def _scaled(seconds: float, known: _Video, work: float) -> float:
    return seconds * min(1.0, work / known.work)
