"""Step-level continuous batching: one denoise step over all live segments, whatever step each is at.

The idea is iteration-level scheduling (Orca, OSDI 2022) carried from tokens to denoise steps: a segment joins at
the next step boundary, leaves when its last step is done, and is dropped at the next boundary when its caller has
gone. Whose turn it is `turns.py` decides, by what steps have cost (`costs.py`). A segment's result does not depend on
its neighbours: the exported graph keeps the batch axis independent.
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from framecast.denoiser.costs import StepCosts
from framecast.denoiser.job import Floats, Job
from framecast.denoiser.turns import TurnRules, next_batch
from framecast.engines.engine import Array, Engine
from framecast.errors import Cancelled, CorruptOutput, FramecastError, Overloaded, StageFailed, StageUnavailable

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BatcherLimits(TurnRules):
    """Of the segments at hand `max_live` take turns, by the rules; `max_waiting` more queue in the order they came.

    A step of more than one segment has `max_volume` latents, frames × height × width, at most: memory grows with them,
    and large pictures gain next to nothing from company.
    """

    max_live: int = 8
    max_waiting: int = 64
    max_volume: float = math.inf

    @classmethod
    def parse(cls, text: str) -> "BatcherLimits":
        """Reads ``max_live=1,max_batch=1``; what is not named keeps its default. Raises ValueError that names it."""
        defaults, found = cls(), dict[str, Any]()
        kinds: dict[str, Any] = {each.name: type(getattr(defaults, each.name)) for each in fields(cls)}
        for part in filter(None, text.split(",")):
            name, _, value = part.partition("=")
            if name not in kinds:
                raise ValueError(f"the batcher's limits are {', '.join(kinds)}, not {name!r}")
            try:
                found[name] = kinds[name](value)
            except ValueError:
                raise ValueError(f"the batcher's limit {name} is a number, not {value!r}") from None
        return replace(defaults, **found)


@dataclass(frozen=True)
class StepRecord:
    """What one turn did, for metrics: its batch size (0: no step was run), distinct timesteps, seconds, and who is
    left, live and waiting.
    """

    batch: int
    distinct_timesteps: int
    seconds: float
    live: int
    waiting: int


class StepBatcher:
    """Runs submitted jobs on one thread (`start`), or step by step (`step`).

    Args:
        engine: the denoise-step graph (`framecast.export.graphs.denoise_step` names its tensors).
        limits: how many jobs at once, and whose turn it is.
        observe: takes a record after every step.
        costs: what steps cost; they are learnt from here on.
    """

    def __init__(
        self,
        engine: Engine,
        limits: BatcherLimits | None = None,
        observe: Callable[[StepRecord], None] = lambda record: None,
        costs: StepCosts | None = None,
    ) -> None:
        self._engine = engine
        self._extended = any(info.name == "memory" for info in engine.inputs)
        self._limits = limits or BatcherLimits()
        self._observe = observe
        self._costs = costs or StepCosts()
        self._waiting: deque[Job] = deque()
        self._live: list[Job] = []
        self._closed = False
        self._work = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="step-batcher", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queues a job. Raises Overloaded when no place, live or waiting, is left, StageUnavailable after `close`."""
        with self._work:
            if self._closed:
                raise StageUnavailable("The denoiser is shutting down.")
            if len(self._live) + len(self._waiting) >= self._limits.max_live + self._limits.max_waiting:
                raise Overloaded(f"The denoiser's queue is full ({self._limits.max_waiting} segments wait).")
            self._waiting.append(job)
            self._work.notify()

    def close(self) -> None:
        """Fails what is left and ends the thread."""
        with self._work:
            self._closed = True
            self._work.notify()
        if self._thread.is_alive():
            self._thread.join()
        self._end([*self._live, *self._waiting], StageUnavailable("The denoiser is shutting down."))

    def step(self) -> None:
        """One denoise step; the hot loop."""
        # 1. Drop whoever has gone, and let waiting jobs, oldest first, take the free places.
        self._drop_cancelled()
        self._admit()
        if not self._live:
            self._report()
            return

        # 2. Whose turn it is, and which neighbours come along.
        batch = next_batch(self._live, self._seconds, self._limits)

        # 3. One run of the step graph over the batch.
        started = time.perf_counter()
        try:
            results = self._engine.run(_stack(batch, self._extended))
        except Exception:  # noqa: BLE001 - a runtime may raise anything, and every caller must get an answer
            _log.exception("denoise step of %d failed", len(batch))
            if len(batch) > 1:  # too many for the memory, or for the engine: they go on in smaller batches
                self._costs.failed(batch[0].bucket, len(batch))
            else:
                self._end(batch, StageFailed("The denoiser could not compute a step."))
            self._report()
            return
        seconds = time.perf_counter() - started
        self._costs.measured(batch[0].bucket, len(batch), seconds)

        # 4. Hand the results back; those that are done leave.
        timesteps = len({job.segment.schedule.timesteps[job.step] for job in batch})
        memories = results.get("next_memory", [None] * len(batch))
        for job in self._live:
            job.passed += job not in batch
        for job, latents, memory in zip(batch, results["next_latents"], memories, strict=True):
            job.take(latents, memory, seconds)
        done = [job for job in batch if job.done]
        self._live = [job for job in self._live if not job.done]
        self._report(len(batch), timesteps, seconds)
        for job in done:
            if np.isfinite(job.latents).all():
                _tell(job.finished, job)
            else:
                _tell(job.failed, CorruptOutput("The denoiser produced NaN or Inf."))

    def _run(self) -> None:
        while True:
            with self._work:
                while not (self._live or self._waiting or self._closed):
                    self._work.wait()
                if self._closed:
                    return
            try:
                self.step()
            except Exception:  # noqa: BLE001 - an engine that gives nonsense, say; it would do so at every step
                _log.exception("a turn of the batcher failed")
                self._end([*self._live] or [*self._waiting], StageFailed("The denoiser could not compute a step."))

    def _seconds(self, bucket: Any, batch: int) -> float | None:
        """What a step costs, see `Costs`: too large a batch more than anything."""
        frames, _, height, width = bucket[0]
        if batch > 1 and batch * frames * height * width > self._limits.max_volume:
            return math.inf
        return self._costs.seconds(bucket, batch)

    def _drop_cancelled(self) -> None:
        with self._work:
            gone = [job for job in [*self._live, *self._waiting] if job.cancelled()]
        self._end(gone, Cancelled("The caller cancelled the segment."))

    def _admit(self) -> None:
        with self._work:
            while self._waiting and len(self._live) < self._limits.max_live:
                self._live.append(self._waiting.popleft())

    def _end(self, jobs: Sequence[Job], error: FramecastError) -> None:
        with self._work:  # callers may be joining the queue meanwhile
            for job in jobs:
                (self._live if job in self._live else self._waiting).remove(job)
        for job in jobs:
            _tell(job.failed, error)

    def _report(self, batch: int = 0, timesteps: int = 0, seconds: float = 0.0) -> None:
        _tell(self._observe, StepRecord(batch, timesteps, seconds, len(self._live), len(self._waiting)))


def _tell(callback: Callable[[Any], None], what: Any) -> None:
    """Calls one caller back; what goes wrong there is that caller's own."""
    try:
        callback(what)
    except Exception:  # noqa: BLE001 - the callers behind it get their answers
        _log.exception("a callback failed")


def _stack(batch: Sequence[Job], extended: bool) -> dict[str, Array]:
    """The step graph's inputs for a batch of jobs of one bucket; `extended` with what some samplers draw and keep."""

    def stack(values: Sequence[Floats]) -> Floats:
        return np.stack(values) if len(values) > 1 else values[0][None]

    def column(values: Sequence[float] | Sequence[Sequence[float]]) -> Floats:
        return np.asarray(values, np.float32)

    segments = [job.segment for job in batch]
    latents, given = zip(*(job.inputs() for job in batch), strict=True)
    schedules = [(segment.schedule, job.step) for segment, job in zip(segments, batch, strict=True)]
    inputs: dict[str, Array] = {
        "latents": stack(latents),
        "timestep": column([schedule.timesteps[step] for schedule, step in schedules]),
        "embedding": stack([segment.embedding for segment in segments]),
        "negative_embedding": stack([segment.negative_embedding for segment in segments]),
        "guidance": column([segment.guidance for segment in segments]),
        "coefficients": column(
            [schedule.extended(step) if extended else schedule.coefficients[step] for schedule, step in schedules]
        ),
        "context": stack([job.context for job in batch]),
        "given": stack(given),
    }
    if extended:
        inputs["noise"] = stack([job.noise() if job.segment.schedule.noise else job.none() for job in batch])
        inputs["memory"] = stack([job.none() if job.memory is None else job.memory for job in batch])
    return inputs
