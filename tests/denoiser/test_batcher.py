"""The step batcher over a small real graph, stepped by hand where order matters."""

from collections.abc import Hashable

import numpy as np
import pytest
from tests.denoiser.conftest import Caller, Free

from framecast.denoiser.batcher import BatcherLimits, StepBatcher, StepRecord
from framecast.denoiser.costs import LearningRules, StepCosts
from framecast.engines.engine import Engine
from framecast.errors import Cancelled, Overloaded


def test_jobs_join_and_leave_at_any_step_and_keep_their_results(engine: Engine) -> None:
    records: list[StepRecord] = []
    batcher = StepBatcher(engine, observe=records.append, costs=Free())
    callers = [Caller(seed, steps) for seed, steps in enumerate((5, 2, 4))]
    for caller in callers:  # one more joins at every step
        batcher.submit(caller.job)
        batcher.step()
    while any(caller.result is None for caller in callers):
        batcher.step()
    for caller in callers:
        np.testing.assert_allclose(caller.result, caller.expected(), rtol=1e-5, atol=1e-5)
    taken = [(record.batch, record.distinct_timesteps) for record in records]
    assert taken == [(1, 1), (2, 2), (3, 3), (2, 2), (2, 2), (1, 1)]
    assert records[-1].live == 0


def test_a_neighbour_changes_nothing(engine: Engine) -> None:
    alone, accompanied, neighbour = Caller(1, 4), Caller(1, 4), Caller(2, 6)
    for group in ([alone], [neighbour, accompanied]):
        batcher = StepBatcher(engine, costs=Free())
        for caller in group:
            batcher.submit(caller.job)
        while any(caller.result is None for caller in group):
            batcher.step()
    assert alone.result is not None
    np.testing.assert_array_equal(alone.result, accompanied.result)


def test_context_frames_are_kept(engine: Engine) -> None:
    caller = Caller(1, 3, known=2)
    batcher = StepBatcher(engine)
    batcher.submit(caller.job)
    while caller.result is None:
        batcher.step()
    assert (caller.result[:2] == 9).all()
    np.testing.assert_allclose(caller.result[2], caller.expected()[2], rtol=1e-5)


def test_new_latents_begin_where_the_context_ended(engine: Engine) -> None:
    """The graph answers with the number of the last step, 2, everywhere; the context is 9."""
    callers = [Caller(1, 3, frames=8, known=2, own=True), Caller(2, 3, frames=8, own=True)]
    batcher = StepBatcher(engine, costs=Free())
    for caller in callers:
        batcher.submit(caller.job)
    while any(caller.result is None for caller in callers):
        batcher.step()
    joined, alone = (caller.result for caller in callers)
    assert joined is not None
    assert alone is not None
    np.testing.assert_allclose(joined[:, 0, 0, 0], [9, 9, 9, 2 + 0.75 * 7, 2 + 0.5 * 7, 2 + 0.25 * 7, 2, 2], rtol=1e-6)
    assert (joined == joined[:, :1, :1, :1]).all()
    assert (alone == 2).all()


def test_the_context_is_seen_at_the_last_step_too() -> None:
    job = Caller(1, 2, frames=4, known=3, own=True).job
    job.take(job.latents, None, 0.0)
    latents, given = job.inputs()
    assert (latents[:3] == 9).all()
    np.testing.assert_array_equal(latents[3], job.latents[3])
    assert (given == 0).all()
    job.take(np.full_like(latents, 5), None, 0.0)
    assert job.done
    np.testing.assert_array_equal(job.latents[:, 0, 0, 0], [9, 9, 9, 9])


def test_a_cancelled_job_leaves_at_the_next_boundary(engine: Engine) -> None:
    records: list[StepRecord] = []
    batcher = StepBatcher(engine, observe=records.append, costs=Free())
    leaving, staying = Caller(1, 50), Caller(2, 3)
    for caller in (leaving, staying):
        batcher.submit(caller.job)
    batcher.step()
    leaving.gone = True
    batcher.step()
    assert isinstance(leaving.error, Cancelled)
    assert (leaving.job.step, records[-1].batch) == (1, 1)
    batcher.step()
    assert staying.result is not None


def test_shapes_take_turns_and_live_jobs_are_limited(engine: Engine) -> None:
    records: list[StepRecord] = []
    batcher = StepBatcher(engine, BatcherLimits(max_live=3, max_batch=2, max_waiting=1), records.append, Free())
    callers = [Caller(0, 2), Caller(1, 2, frames=5), Caller(2, 2), Caller(3, 2)]
    for caller in callers[:2]:
        batcher.submit(caller.job)
    batcher.step()
    for caller in callers[2:]:
        batcher.submit(caller.job)
    with pytest.raises(Overloaded):
        batcher.submit(Caller(4, 2).job)
    assert callers[0].job.step == 1
    batcher.step()  # the first job, which has begun, and a neighbour of its shape
    assert (callers[0].job.done, callers[1].job.step, callers[2].job.step) == (True, 0, 1)
    assert records[-1].live <= 3
    while any(caller.result is None for caller in callers):
        batcher.step()
    assert max(record.batch for record in records) == 2
    for caller in callers:
        np.testing.assert_allclose(caller.result, caller.expected(), rtol=1e-5, atol=1e-5)


def test_a_stream_of_short_jobs_of_another_shape_does_not_starve_a_long_one(engine: Engine) -> None:
    batcher, long = StepBatcher(engine, BatcherLimits(patience=2)), Caller(0, 10)
    batcher.submit(long.job)
    for seed in range(30):
        assert long.result is None
        batcher.submit(Caller(seed, 1, frames=5).job)
        batcher.step()
    assert long.result is not None


def test_a_first_segment_overtakes_at_the_next_boundary_and_changes_nothing(engine: Engine) -> None:
    batcher, later, newcomer = StepBatcher(engine, BatcherLimits(max_batch=1)), Caller(1, 4), Caller(2, 3)
    later.job.first = False
    batcher.submit(later.job)
    batcher.step()
    batcher.submit(newcomer.job)
    for _ in range(3):
        batcher.step()
    assert newcomer.result is not None
    assert (later.job.step, later.job.passed) == (1, 3)
    for _ in range(3):
        batcher.step()
    for caller in (later, newcomer):
        np.testing.assert_allclose(caller.result, caller.expected(), rtol=1e-5, atol=1e-5)


def test_batches_that_do_not_pay_are_given_up(engine: Engine) -> None:
    """An engine whose steps cost in proportion to their rows; by the clock it is told."""

    class Proportional(StepCosts):
        def measured(self, bucket: Hashable, batch: int, seconds: float) -> None:
            super().measured(bucket, batch, float(batch))

    records: list[StepRecord] = []
    batcher = StepBatcher(engine, observe=records.append, costs=Proportional())
    callers = [Caller(seed, 20) for seed in range(3)]
    for caller in callers:
        batcher.submit(caller.job)
    while any(caller.result is None for caller in callers):
        batcher.step()
    sizes = [record.batch for record in records]
    assert sizes[:9] == [1, 1, 1, 2, 2, 2, 3, 3, 3]  # tried
    assert sizes[9:].count(1) >= len(sizes[9:]) - 2  # and one more try from time to time
    for caller in callers:
        np.testing.assert_allclose(caller.result, caller.expected(), rtol=1e-4, atol=1e-4)


def test_a_batch_that_is_too_large_is_split_and_remembered(engine: Engine) -> None:
    """Everybody is answered, alike; that size is tried again only after a long time."""

    sizes: list[int] = []

    class Small:
        inputs = engine.inputs
        outputs = engine.outputs

        def run(self, inputs, outputs=None):  # type: ignore[no-untyped-def]
            sizes.append(len(inputs["latents"]))
            if sizes[-1] > 2:
                raise RuntimeError("out of memory")
            return engine.run(inputs, outputs)

    batcher = StepBatcher(Small(), costs=StepCosts(LearningRules(trials=1, retry=1000, forgive=40)))
    for _ in range(6):
        callers = [Caller(seed, 4) for seed in range(3)]
        for caller in callers:
            batcher.submit(caller.job)
        for _ in range(40):
            batcher.step()
        assert [caller.error for caller in callers] == [None] * 3
        assert all(caller.result is not None for caller in callers)
    assert sizes.count(3) == 2, "once at first, once more after forty steps"
    one = Caller(1, 4)
    lonely = StepBatcher(engine)
    lonely.submit(one.job)
    for _ in range(4):
        lonely.step()
    np.testing.assert_array_equal(callers[1].result, one.result)


def test_large_segments_come_with_fewer_neighbours(engine: Engine) -> None:
    """As many latents in a step as the limit says, and one segment whatever its size."""
    for frames, expected in ((1, [4]), (3, [2, 2]), (9, [1, 1, 1, 1])):
        records: list[StepRecord] = []
        batcher = StepBatcher(engine, BatcherLimits(max_volume=6 * 4 * 4), records.append, Free())
        for seed in range(4):
            batcher.submit(Caller(seed, 1, frames=frames).job)
        for _ in expected:
            batcher.step()
        assert [record.batch for record in records] == expected
