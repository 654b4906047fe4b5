"""What recent videos say about the next one."""

from collections import deque
from statistics import fmean, median


class Estimator:
    """Learns from the last `memory` videos that ended well.

    The time to the first frame is learnt per unit of work, so that a small video is not judged by large ones.
    """

    def __init__(self, memory: int = 16) -> None:
        self._seconds_per_work: deque[float] = deque(maxlen=memory)
        self._service_seconds: deque[float] = deque(maxlen=memory)

    def learn(self, work: float, first_frame_seconds: float, service_seconds: float) -> None:
        """One video has ended: its work (any fixed unit) and its times, seconds."""
        self._seconds_per_work.append(first_frame_seconds / work)
        self._service_seconds.append(service_seconds)

    def first_frame_seconds(self, work: float) -> float:
        """Usual time to the first frame once a video is live; 0 when nothing is known."""
        return median(self._seconds_per_work) * work if self._seconds_per_work else 0.0

    def fastest_first_frame_seconds(self, work: float) -> float:
        """The same at its best: what cannot even beat this is hopeless; 0 when nothing is known."""
        return min(self._seconds_per_work) * work if self._seconds_per_work else 0.0

    def service_seconds(self) -> float:
        """How long a video usually keeps its place; 0 when nothing is known."""
        return fmean(self._service_seconds) if self._service_seconds else 0.0
