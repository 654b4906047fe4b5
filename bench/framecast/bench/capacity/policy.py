"""The step batcher without the engine: who is in the next step, by the batcher's own rules.

What a step costs is given here, where `framecast.denoiser.batcher.StepBatcher` learns it; a test drives both side by
side.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from framecast.denoiser.batcher import BatcherLimits
from framecast.denoiser.turns import Costs, next_batch


@dataclass(eq=False)
class SimJob:
    """A segment in the batcher; see `framecast.denoiser.turns.Turn`.

    Attributes:
        owner: whatever submitted it.
        steps: of the whole segment.
        bucket: jobs of one bucket fit into one batch.
        scale: cost of its rows relative to the reference shape.
        submitted: ascending with the order of submission.
        first: of its video.
        remaining: steps to do.
        passed: steps that others took while it was live.
        cancelled: its caller has gone.
    """

    owner: Any
    steps: int
    bucket: int
    scale: float
    submitted: int
    first: bool = True
    remaining: int = 0
    passed: int = 0
    cancelled: bool = False

    def __post_init__(self) -> None:
        self.remaining = self.steps

    @property
    def left(self) -> float:
        """Work that is left."""
        return self.remaining * self.scale


class BatchPolicy:
    """Waiting and live jobs, and whose turn it is.

    Several steps are taken at once while nothing can change the batch: until one of it is done or somebody else's
    patience ends. A turn taken only makes the next one surer.
    """

    def __init__(self, limits: BatcherLimits, costs: Costs) -> None:
        self.waiting: deque[SimJob] = deque()
        self.live: list[SimJob] = []
        self._limits, self._costs = limits, costs

    def submit(self, job: SimJob) -> bool:
        """Queues a job; False when all places are taken."""
        if len(self.live) + len(self.waiting) >= self._limits.max_live + self._limits.max_waiting:
            return False
        self.waiting.append(job)
        return True

    def next_batch(self, dropped: Callable[[SimJob], None] = lambda job: None) -> tuple[list[SimJob], int]:
        """Lets waiting jobs in and gives the next batch, and for how many steps it is sure to stay the same."""
        if any(job.cancelled for job in (*self.live, *self.waiting)):
            for job in [job for job in (*self.live, *self.waiting) if job.cancelled]:
                (self.live if job in self.live else self.waiting).remove(job)
                dropped(job)
        while self.waiting and len(self.live) < self._limits.max_live:
            self.live.append(self.waiting.popleft())
        batch = next_batch(self.live, self._costs, self._limits)
        patience = [self._limits.patience_left(job) for job in self.live if job not in batch]
        ends = [job.remaining for job in batch] + [steps for steps in patience if steps > 0]
        return batch, min(ends, default=0)

    def done(self, batch: list[SimJob], steps: int) -> list[SimJob]:
        """Marks `steps` steps of `batch` as taken; gives the jobs that are finished, which leave."""
        for job in self.live:
            if job in batch:
                job.remaining -= steps
            else:
                job.passed += steps
        finished = [job for job in batch if not job.remaining]
        if finished:
            self.live = [job for job in self.live if job.remaining]
        return finished

    def clear(self) -> list[SimJob]:
        """Takes every job out: the batcher's process has died."""
        lost = [*self.live, *self.waiting]
        self.live, self.waiting = [], deque()
        return lost
