"""Every caller of the batcher gets an answer, whatever becomes of an engine, a neighbour or a callback."""

import threading
from collections.abc import Mapping

import pytest
from tests.denoiser.conftest import Caller, Free

from framecast.denoiser.batcher import BatcherLimits, StepBatcher
from framecast.engines.engine import Array, Engine
from framecast.errors import Cancelled, CorruptOutput, Overloaded, StageFailed, StageUnavailable


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
