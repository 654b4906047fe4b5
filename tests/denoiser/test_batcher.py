"""The step batcher over a small real graph, stepped by hand where order matters."""

import threading
from collections.abc import Hashable, Mapping

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from framecast.denoiser.batcher import BatcherLimits, StepBatcher, StepRecord
from framecast.denoiser.costs import LearningRules, StepCosts
from framecast.denoiser.job import Job, Segment
from framecast.denoiser.samplers import Schedule
from framecast.engines.engine import Array, Engine
from framecast.engines.load import load_engine
from framecast.errors import Cancelled, CorruptOutput, FramecastError, Overloaded, StageFailed, StageUnavailable


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """next = a · latents + timestep, and the context where it is given; fails on a guidance below 0."""
    names = ["B", "F", "C", "H", "W"]
    inputs = {
        "latents": names,
        "timestep": ["B"],
        "embedding": ["B", "T", "D"],
        "negative_embedding": ["B", "T", "D"],
        "guidance": ["B"],
        "coefficients": ["B", 3],
        "context": names,
        "given": ["B", "F"],
    }
    nodes = [
        helper.make_node("Gather", ["coefficients", "one"], ["a"], axis=1),
        helper.make_node("Reshape", ["a", "column"], ["a5"]),
        helper.make_node("Reshape", ["timestep", "column"], ["t5"]),
        helper.make_node("Sqrt", ["guidance"], ["root"]),  # NaN below 0
        helper.make_node("Reshape", ["root", "column"], ["root5"]),
        helper.make_node("Mul", ["latents", "a5"], ["scaled"]),
        helper.make_node("Add", ["scaled", "t5"], ["moved"]),
        helper.make_node("Mul", ["moved", "root5"], ["free"]),
        helper.make_node("Unsqueeze", ["given", "last"], ["given5"]),
        helper.make_node("Cast", ["given5"], ["mask"], to=TensorProto.BOOL),
        helper.make_node("Where", ["mask", "context", "free"], ["next_latents"]),
    ]
    constants = [
        helper.make_tensor("one", TensorProto.INT64, [1], [1]),
        helper.make_tensor("column", TensorProto.INT64, [5], [-1, 1, 1, 1, 1]),
        helper.make_tensor("last", TensorProto.INT64, [3], [2, 3, 4]),
    ]
    graph = helper.make_graph(
        nodes,
        "step",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("next_latents", TensorProto.FLOAT, names)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    path = tmp_path_factory.mktemp("graph") / "step.onnx"
    onnx.save(model, path)
    return load_engine("onnxruntime", path)


class Free(StepCosts):
    """Rows cost nothing: everybody comes along."""

    def seconds(self, bucket: Hashable, batch: int) -> float | None:
        return 1.0


class Caller:
    """A job and what became of it."""

    def __init__(
        self, seed: int, steps: int, *, guidance: float = 1.0, frames: int = 3, known: int = 0, own: bool = False
    ) -> None:
        self.result: np.ndarray | None = None
        self.error: FramecastError | None = None
        self.gone = False
        rows = tuple((1.0, 0.5 + 0.1 * i, 0.0) for i in range(steps))
        if own:  # of a network that predicts the clean latents: the last step is its answer
            rows = (*rows[:-1], (1.0, 0.0, 1.0))
        shape = (frames, 2, 4, 4)
        states = np.zeros((5, 6), np.float32)
        segment = Segment(
            shape,
            states,
            states,
            seed,
            Schedule(1.0, tuple(float(i) for i in range(steps)), rows),
            guidance,
            np.full((known, *shape[1:]), 9, np.float32),
        )
        self.job = Job(segment, self.finish, self.fail, lambda: self.gone)

    def finish(self, job: Job) -> None:
        self.result = job.latents

    def fail(self, error: FramecastError) -> None:
        self.error = error

    def expected(self) -> np.ndarray:
        """The same steps in plain NumPy."""
        x = Job(self.job.segment, self.finish, self.fail, lambda: False).latents
        for timestep, (_, a, _) in zip(
            self.job.segment.schedule.timesteps, self.job.segment.schedule.coefficients, strict=True
        ):
            x = np.float32(a) * x + np.float32(timestep)
        return x


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


def test_a_callback_that_fails_takes_nobody_along(engine: Engine) -> None:
    batcher, bad, good, done = StepBatcher(engine), Caller(1, 1), Caller(2, 3), threading.Event()
    bad.job.finished = lambda job: 1 / 0  # type: ignore[assignment, return-value]
    good.job.finished = lambda job: done.set()
    batcher.submit(bad.job)
    batcher.submit(good.job)
    batcher.start()
    assert done.wait(10)
    batcher.close()


def test_a_callback_that_fails_takes_nobody_along_who_ends_with_it(engine: Engine) -> None:
    batcher, bad, good = StepBatcher(engine, costs=Free()), Caller(1, 1), Caller(2, 1)
    bad.job.finished = lambda job: 1 / 0  # type: ignore[assignment, return-value]
    for caller in (bad, good):
        batcher.submit(caller.job)
    batcher.step()
    assert good.result is not None


def test_those_who_leave_together_are_told_whatever_one_of_them_does(engine: Engine) -> None:
    batcher, bad, good = StepBatcher(engine), Caller(1, 3), Caller(2, 3)
    bad.job.failed = lambda error: 1 / 0  # type: ignore[assignment, return-value]
    for caller in (bad, good):
        batcher.submit(caller.job)
        caller.gone = True
    batcher.step()
    assert isinstance(good.error, Cancelled)


def test_a_turn_that_cannot_be_taken_ends_those_who_are_live(engine: Engine) -> None:
    class Short:
        inputs, outputs = engine.inputs, engine.outputs

        def run(self, inputs: Mapping[str, Array], outputs: tuple[str, ...] | None = None) -> dict[str, Array]:
            return {name: rows[:0] for name, rows in engine.run(inputs, outputs).items()}

    batcher, caller, answered = StepBatcher(Short()), Caller(1, 3), threading.Event()
    caller.job.failed = lambda error: answered.set()
    batcher.submit(caller.job)
    batcher.start()
    assert answered.wait(10)
    batcher.close()


def test_with_no_places_to_wait_in_the_live_ones_are_served(engine: Engine) -> None:
    batcher = StepBatcher(engine, BatcherLimits(max_live=1, max_waiting=0))
    batcher.submit(Caller(1, 1).job)
    with pytest.raises(Overloaded):
        batcher.submit(Caller(2, 1).job)
    batcher.step()
    batcher.submit(Caller(2, 1).job)


def test_nan_is_an_error_of_that_job_alone(engine: Engine) -> None:
    broken, sound = Caller(1, 2, guidance=-1.0), Caller(2, 2)
    batcher = StepBatcher(engine)
    for caller in (broken, sound):
        batcher.submit(caller.job)
    while sound.result is None:
        batcher.step()
    assert isinstance(broken.error, CorruptOutput)


def test_an_engine_that_fails_answers_every_caller_and_the_batcher_goes_on(engine: Engine) -> None:
    class Failing:
        inputs = engine.inputs
        outputs = engine.outputs
        fail = True

        def run(self, inputs, outputs=None):  # type: ignore[no-untyped-def]
            if self.fail:
                raise RuntimeError("device lost")
            return engine.run(inputs, outputs)

    failing = Failing()
    batcher = StepBatcher(failing)
    first, second = Caller(1, 2), Caller(2, 2)
    batcher.submit(first.job)
    batcher.step()
    assert isinstance(first.error, StageFailed)
    assert "device lost" not in str(first.error)
    failing.fail = False
    batcher.submit(second.job)
    batcher.step()
    batcher.step()
    assert second.result is not None


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


def test_the_thread_works_and_closing_fails_what_is_left(engine: Engine) -> None:
    batcher = StepBatcher(engine)
    batcher.start()
    done = threading.Event()
    quick = Caller(1, 5)
    quick.job.finished = lambda job: (quick.finish(job), done.set())  # type: ignore[assignment]
    batcher.submit(quick.job)
    assert done.wait(10)
    batcher.close()
    with pytest.raises(StageUnavailable):
        batcher.submit(Caller(2, 1).job)
    idle = StepBatcher(engine)
    left = Caller(3, 5)
    idle.submit(left.job)
    idle.close()
    assert isinstance(left.error, StageUnavailable)
