"""What recent videos say about the next one."""

from collections import deque
from statistics import fmean, median


class Estimator:
    """Learns from the last `memory` videos that ended well.

    The time to the first frame is a fixed part and a part that grows with the work. From a larger video a smaller
    one's is scaled down; from a smaller video a larger one's is only known to be no shorter. So an estimate may be
    too low, never too high: nobody is refused for what a small first video cost.
    """

    def __init__(self, memory: int = 16) -> None:
        self._first_frames: deque[tuple[float, float]] = deque(maxlen=memory)  # (work, seconds)
        self._service_seconds: deque[float] = deque(maxlen=memory)

    def learn(self, work: float, first_frame_seconds: float, service_seconds: float) -> None:
        """One video has ended: its work (any fixed unit) and its times, seconds."""
        self._first_frames.append((work, first_frame_seconds))
        self._service_seconds.append(service_seconds)

    def first_frame_seconds(self, work: float) -> float:
        """Usual time to the first frame once a video is live; 0 when nothing is known."""
        return median(self._scaled(work)) if self._first_frames else 0.0

    def fastest_first_frame_seconds(self, work: float) -> float:
        """The same at its best: what cannot even beat this is hopeless; 0 when nothing is known."""
        return min(self._scaled(work), default=0.0)

    def service_seconds(self) -> float:
        """How long a video usually keeps its place; 0 when nothing is known."""
        return fmean(self._service_seconds) if self._service_seconds else 0.0

    def _scaled(self, work: float) -> list[float]:
        return [seconds * min(1.0, work / known) for known, seconds in self._first_frames]
