"""The simulator's batches against the real step batcher's, step by step."""

from collections.abc import Hashable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from framecast.bench.capacity.film import Film
from framecast.bench.capacity.fleet import Fleet, Step
from framecast.bench.capacity.policy import BatchPolicy, SimJob
from framecast.bench.capacity.service import Replica, ServiceModel, StepCurve
from framecast.bench.capacity.simulate import simulate
from framecast.denoiser.batcher import StepBatcher
from framecast.denoiser.costs import StepCosts
from framecast.denoiser.job import Job, Segment
from framecast.denoiser.samplers import Schedule
from framecast.engines.engine import Array, TensorInfo
from framecast.errors import FramecastError, Overloaded

CURVE = StepCurve(((1, 1.0), (2, 1.3), (4, 2.5)))


class Recording:
    """An engine that only notes who is in the batch: the guidance is the job's number."""

    inputs: tuple[TensorInfo, ...] = ()
    outputs: tuple[TensorInfo, ...] = ()

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def run(self, inputs: Mapping[str, Array], outputs: tuple[str, ...] | None = None) -> dict[str, Array]:
        self.batches.append([int(number) for number in inputs["guidance"]])
        return {"next_latents": inputs["latents"]}


class Known(StepCosts):
    """Costs that need no learning."""

    def measured(self, bucket: Hashable, batch: int, seconds: float) -> None:
        pass

    def seconds(self, bucket: Hashable, batch: int) -> float | None:
        return CURVE.seconds(batch)


class Real:
    """The real batcher, stepped by hand."""

    def __init__(self, limits: Replica) -> None:
        self.engine = Recording()
        self.gone: set[int] = set()
        self.finished: list[int] = []
        self.batcher = StepBatcher(self.engine, limits.batcher, costs=Known())

    def submit(self, number: int, steps: int, bucket: int, first: bool) -> bool:
        states = np.zeros((1, 1), np.float32)
        schedule = Schedule(1.0, tuple(map(float, range(steps))), ((1.0, 1.0, 0.0),) * steps)
        shape = (1, 1, 1 + bucket, 6 // (1 + bucket))
        segment = Segment(shape, states, states, number, schedule, float(number), np.zeros((0, *shape[1:]), np.float32))

        def failed(error: FramecastError) -> None:
            assert number in self.gone, error

        done, gone = (lambda job: self.finished.append(number)), (lambda: number in self.gone)
        job = Job(segment, done, failed, gone, first, float(number))
        try:
            self.batcher.submit(job)
        except Overloaded:
            return False
        return True


@pytest.mark.parametrize("seed", range(12))
def test_batches_turns_and_refusals_are_the_real_ones(seed: int) -> None:
    """A random script of arrivals, shapes, step counts and cancellations, before every step."""
    generator = np.random.default_rng(seed)
    limits = Replica(max_live=int(generator.integers(1, 7)), max_batch=int(generator.integers(1, 5)), max_waiting=4)
    limits = replace(limits, turn_patience=int(generator.integers(0, 4)))
    real, policy = Real(limits), BatchPolicy(limits.batcher, lambda _, batch: CURVE.seconds(batch))
    jobs: list[SimJob] = []
    finished: list[int] = []
    for turn in range(300):
        for _ in range(generator.poisson(0.5 if turn < 250 else 0)):
            number, steps, bucket = len(jobs), int(generator.integers(1, 9)), int(generator.integers(0, 3))
            first = bool(generator.random() < 0.5)
            jobs.append(SimJob(number, steps, bucket, 1.0, number, first))
            assert policy.submit(jobs[-1]) == real.submit(number, steps, bucket, first)
        if jobs and generator.random() < 0.1:
            leaving = int(generator.integers(len(jobs)))
            jobs[leaving].cancelled = True
            real.gone.add(leaving)
        before = len(real.engine.batches)
        real.batcher.step()
        batch, steps = policy.next_batch()
        taken = [[job.owner for job in batch]] if batch else []
        assert real.engine.batches[before:] == taken
        assert steps >= 1 or not batch
        finished += [job.owner for job in policy.done(batch, 1)]
        assert real.finished == finished
    assert len(real.engine.batches) > 100
    assert max(map(len, real.engine.batches)) <= min(limits.max_batch, limits.max_live)


def test_the_simulation_takes_the_real_batchers_steps() -> None:
    """The whole simulator over virtual time: same batches at the same times as the real batcher fed by hand."""
    service = ServiceModel(CURVE)
    replica = Replica(max_live_videos=50, max_queued_videos=0, max_live=5, max_batch=3)
    films = [Film((((4,),),), steps=7, bucket=0), Film((((4,),),), steps=4, bucket=1)]
    generator = np.random.default_rng(4)
    arrivals = np.cumsum(generator.exponential(2.0, 60))
    order = generator.integers(0, 2, 60)
    simulated: list[tuple[float, list[int]]] = []

    def observe(step: Step) -> None:
        simulated.extend((step.at + index * step.seconds, list(step.videos)) for index in range(step.steps))

    found = simulate(Fleet(service, replica), arrivals, films, order=order, observe=observe)
    assert (found.status == 1).all()

    real, now, arrived, expected = Real(replica), 0.0, 0, []
    while len(real.finished) < len(arrivals):
        while arrived < len(arrivals) and arrivals[arrived] <= now:
            real.submit(arrived, films[order[arrived]].steps, films[order[arrived]].bucket, first=True)
            arrived += 1
        before = len(real.engine.batches)
        real.batcher.step()
        if len(real.engine.batches) == before:  # idle: until the next arrival
            now = float(arrivals[arrived])
            continue
        batch = real.engine.batches[-1]
        expected.append((now, batch))
        now += service.step.seconds(len(batch))
    assert [batch for _, batch in simulated] == [batch for _, batch in expected]
    np.testing.assert_allclose([at for at, _ in simulated], [at for at, _ in expected], rtol=1e-9)
    assert {len(batch) for _, batch in expected} >= {1, 2}
