"""The step batcher's policy without the engine: who is in the next step.

`framecast.denoiser.batcher.StepBatcher` is the original; a test drives both side by side.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(eq=False)
class SimJob:
    """A segment in the batcher.

    Attributes:
        owner: whatever submitted it.
        remaining: steps to do.
        bucket: jobs of one bucket fit into one batch.
        scale: cost of its rows relative to the reference shape.
        submitted: ascending with the order of submission.
        last_turn: the batcher's step count when it last took part.
        cancelled: its caller has gone.
    """

    owner: Any
    remaining: int
    bucket: int
    scale: float
    submitted: int
    last_turn: int = -1
    cancelled: bool = False


def _order(job: SimJob) -> tuple[int, int]:
    return job.last_turn, job.submitted


class BatchPolicy:
    """Waiting and live jobs, and whose turn it is.

    Several steps are taken at once while nothing can change the batch: when everybody live is in it. The order of
    turns afterwards is the same as one by one, for all have taken part in the same last step.
    """

    def __init__(self, max_live: int, max_batch: int, max_waiting: int) -> None:
        self.waiting: deque[SimJob] = deque()
        self.live: list[SimJob] = []
        self.turn = 0
        self._max_live, self._max_batch, self._max_waiting = max_live, max_batch, max_waiting

    def submit(self, job: SimJob) -> bool:
        """Queues a job; False when the queue is full."""
        if len(self.waiting) >= self._max_waiting:
            return False
        self.waiting.append(job)
        return True

    def next_batch(self, dropped: Callable[[SimJob], None] = lambda job: None) -> tuple[list[SimJob], int]:
        """Lets waiting jobs in and gives the next batch, and for how many steps it is sure to stay the same."""
        if any(job.cancelled for job in (*self.live, *self.waiting)):
            for job in [job for job in (*self.live, *self.waiting) if job.cancelled]:
                (self.live if job in self.live else self.waiting).remove(job)
                dropped(job)
        live, waiting = self.live, self.waiting
        while waiting and len(live) < self._max_live:
            job = waiting.popleft()
            job.last_turn = self.turn
            live.append(job)
        if not live:
            return [], 0
        live.sort(key=_order)
        bucket = live[0].bucket
        batch = [job for job in live if job.bucket == bucket][: self._max_batch]
        if len(batch) < len(live):
            return batch, 1
        return batch, min(job.remaining for job in batch)

    def done(self, batch: list[SimJob], steps: int) -> list[SimJob]:
        """Marks `steps` steps of `batch` as taken; gives the jobs that are finished, which leave."""
        self.turn += steps
        for job in batch:
            job.remaining -= steps
            job.last_turn = self.turn
        finished = [job for job in batch if not job.remaining]
        if finished:
            self.live = [job for job in self.live if job.remaining]
        return finished

    def clear(self) -> list[SimJob]:
        """Takes every job out: the batcher's process has died."""
        lost = [*self.live, *self.waiting]
        self.live, self.waiting = [], deque()
        return lost
