"""The shared processor against a clock that ticks."""

import math
import random

import pytest

from framecast.bench.capacity.processor import Events, Processor, Task


def played(jobs: list[tuple[str, float, float]], share: float) -> dict[str, float]:
    """Ends of jobs (name, begins, seconds of work); a name that begins with "r" is a run of steps."""
    events, ends = Events(), {}
    processor = Processor(events, share)
    tasks: dict[str, Task] = {}

    def over(name: str) -> None:
        ends[name] = events.now
        if name.startswith("r"):
            processor.denoise(None)
        else:
            processor.decoded(tasks[name], None)

    def begin(job: tuple[str, float, float]) -> None:
        tasks[job[0]] = task = Task(job[2], over, job[0])
        (processor.denoise if job[0].startswith("r") else processor.decode)(task)

    for job in jobs:
        events.at(job[1], begin, job)
    while events.next < math.inf:
        events.happen()
    return ends


def ticked(jobs: list[tuple[str, float, float]], share: float, tick: float = 1e-4) -> dict[str, float]:
    """The same by small steps of time."""
    left, ends, step = {name: work for name, _, work in jobs}, {}, 0
    begins = {name: begin for name, begin, _ in jobs}
    while len(ends) < len(jobs):
        now = step * tick
        active = [name for name in left if begins[name] <= now and name not in ends]
        both = len({name[0] for name in active}) == 2
        for name in active:
            left[name] -= tick / (1 + share if both else 1)
            if left[name] <= 0:
                ends[name] = now + tick
        step += 1
    return ends


def test_a_decode_in_the_middle_of_a_run_by_hand() -> None:
    """The decode takes 2 s for its 1 s, in which the run does 1 s of its 3."""
    assert played([("run", 0.0, 3.0), ("decode", 1.0, 1.0)], 1.0) == {"decode": 3.0, "run": 4.0}
    assert played([("run", 0.0, 3.0), ("decode", 1.0, 1.0)], 0.0) == {"decode": 2.0, "run": 3.0}


@pytest.mark.parametrize("seed", range(6))
def test_any_jobs_end_when_a_ticking_clock_says(seed: int) -> None:
    rng = random.Random(seed)
    share = rng.choice((0.3, 1.0, 1.7))
    jobs = [("run", rng.uniform(0, 0.5), rng.uniform(0.5, 2.0))]
    jobs += [(f"decode {i}", rng.uniform(0, 2), rng.uniform(0.05, 0.8)) for i in range(4)]
    assert played(jobs, share) == pytest.approx(ticked(jobs, share), abs=2e-3)


def test_what_is_dropped_never_ends() -> None:
    events = Events()
    ended: list[str] = []
    processor = Processor(events, 1.0)
    processor.denoise(Task(2.0, ended.append, "run"))
    events.at(1.0, lambda _: processor.drop(), None)
    while events.next < math.inf:
        events.happen()
    assert processor.run is None
    assert not ended
