"""Running a load: open loop (callers who do not wait for each other) and closed loop (callers who do).

Times are the event loop's clock, so a test may run a day of load on a virtual one.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from framecast.bench.divergence import DivergenceRules, DivergenceWatch, State, Verdict
from framecast.bench.interrupt import Interrupt
from framecast.bench.sample import REFUSED, Sample, observe
from framecast.bench.workload import Generate, Workload

UNFINISHED = "Unfinished"
_NEVER = 1 << 62
_CLOSED = DivergenceRules(blocks=_NEVER, max_in_flight=_NEVER)  # as many as there are callers: nothing diverges


@dataclass(frozen=True)
class LoadLimits:
    """How a load is held in bounds.

    Attributes:
        max_concurrency: videos at the server at once, 0: no bound. In an open loop the time that a video waits for
            this counts as its latency.
        drain: seconds after the last arrival for which answers are awaited; what has none by then has failed.
        rules: when the load counts as too much.
        stop: whether it then ends at once.
    """

    max_concurrency: int = 0
    drain: float = 600.0
    rules: DivergenceRules = field(default_factory=DivergenceRules)
    stop: bool = True


@dataclass(frozen=True)
class LoadRun:
    """What a load gave.

    Attributes:
        samples: of every video that was due, in the order they were due.
        duration: from the first arrival's intended time, or the start of a closed loop, to the last answer, seconds.
        planned: videos that would have been asked for, had the load not been stopped.
        in_flight: how many were asked for and not answered, at every arrival and end: (seconds, videos).
        verdict: whether the server kept up.
    """

    samples: tuple[Sample, ...]
    duration: float
    planned: int
    in_flight: tuple[tuple[float, int], ...]
    verdict: Verdict


async def open_loop(
    generate: Generate,
    workload: Workload,
    times: Sequence[float],
    limits: LoadLimits | None = None,
    interrupt: Interrupt | None = None,
) -> LoadRun:
    """Asks for videos at `times` (seconds from now), whatever became of the earlier ones.

    Of a load that is interrupted, the videos that have ended by then count.
    """
    limits, stop = limits or LoadLimits(), interrupt or Interrupt()
    clock, watch = asyncio.get_running_loop().time, DivergenceWatch(limits.rules)
    places = asyncio.Semaphore(limits.max_concurrency) if limits.max_concurrency else None
    origin, due = clock(), {}
    in_flight: list[tuple[float, int]] = []

    async def video(index: int, intended: float) -> Sample:
        if places is not None:
            await places.acquire()
        try:
            sample = await observe(generate(workload.ask(index)), index, intended, origin)
        finally:
            if places is not None:
                places.release()
        watch.ended(refused=sample.error == REFUSED, failed=sample.error not in ("", REFUSED))
        in_flight.append((clock() - origin, watch.in_flight))
        return sample

    # 1. Ask, each at its own time.
    for index, intended in enumerate(times):
        await stop.first(asyncio.sleep(max(0.0, origin + intended - clock())))
        if stop.asked:
            break
        due[asyncio.create_task(video(index, float(intended)))] = float(intended)
        verdict = watch.arrived()
        in_flight.append((clock() - origin, watch.in_flight))
        if limits.stop and verdict.state is not State.STEADY:
            break
    # 2. Wait for the answers, but not for ever: a diverged queue may be hours long.
    await _finish(due, limits.drain, stop)
    samples = [
        _sample(task, index, due[task], clock() - origin)
        for index, task in enumerate(due)
        if not (stop.asked and task.cancelled())
    ]
    start = float(times[0]) if len(times) else 0.0
    ended = max((sample.ended for sample in samples), default=start)
    return LoadRun(tuple(samples), ended - start, len(times), tuple(in_flight), _verdict(watch, stop))


async def closed_loop(
    generate: Generate,
    workload: Workload,
    videos: int,
    concurrency: int,
    interrupt: Interrupt | None = None,
) -> LoadRun:
    """`concurrency` callers, each of whom asks for the next video when the last has ended, `videos` in all.

    A slow server is asked less, so queueing does not show: latencies count from the sending, there is no other time.
    One that refuses callers, or fails them all, is asked no more: who is refused at once would ask for all the rest.
    """
    clock, watch, stop = asyncio.get_running_loop().time, DivergenceWatch(_CLOSED), interrupt or Interrupt()
    origin, left = clock(), iter(range(videos))
    samples: list[Sample] = []
    in_flight: list[tuple[float, int]] = []
    live = 0

    async def caller() -> None:
        nonlocal live
        for index in left:
            if watch.arrived().state is not State.STEADY:
                return
            live += 1
            in_flight.append((clock() - origin, live))
            sample = await observe(generate(workload.ask(index)), index, clock() - origin, origin)
            watch.ended(refused=sample.error == REFUSED, failed=sample.error not in ("", REFUSED))
            samples.append(sample)
            live -= 1
            in_flight.append((clock() - origin, live))

    await stop.first(asyncio.gather(*(caller() for _ in range(min(concurrency, videos)))))
    samples.sort(key=lambda sample: sample.index)
    duration = max((sample.ended for sample in samples), default=0.0)
    return LoadRun(tuple(samples), duration, videos, tuple(in_flight), _verdict(watch, stop))


def _verdict(watch: DivergenceWatch, stop: Interrupt) -> Verdict:
    return Verdict(State.INTERRUPTED, "it was interrupted") if stop.asked else watch.verdict


async def _finish(tasks: "dict[asyncio.Task[Sample], float]", seconds: float, stop: Interrupt) -> None:
    if not tasks:
        return
    await stop.first(asyncio.wait(tasks, timeout=seconds))
    pending = [task for task in tasks if not task.done()]
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending)


def _sample(task: "asyncio.Task[Sample]", index: int, intended: float, now: float) -> Sample:
    """A finished task's sample. Raises what the task raised, unless it was cancelled for taking too long."""
    if task.cancelled():
        return Sample(index, intended, intended, now, error=UNFINISHED)
    return task.result()
