"""What the suite and the ablation compare, a job each."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from framecast.bench.gpu.aoti import AotiJob, ServedAotiJob
from framecast.bench.gpu.denoise import ModelJob
from framecast.bench.gpu.job import Job
from framecast.bench.gpu.ladder import LadderJob
from framecast.bench.gpu.planner import PlannerJob
from framecast.bench.gpu.pool import side_by_side
from framecast.bench.gpu.rows import Deadline, Emit, reason
from framecast.bench.gpu.scale import Scale
from framecast.bench.gpu.switches import EAGER, FP8, OURS, PLAIN_COMPILE, UNCOMPILED, Rung, climbing, leaving_out

_BOTH = ("step", "decode")


def _compiled(rungs: Sequence[Rung]) -> tuple[Job, ...]:
    return tuple(ModelJob(rung, (name,)) for name in _BOTH for rung in rungs if rung.switches.compile)


#: Of the suite; what the bars are about comes first.
JOBS: tuple[Job, ...] = (
    ModelJob(OURS, _BOTH),
    ModelJob(PLAIN_COMPILE, ("step",)),
    ModelJob(OURS, ("distilled", "decode")),
    PlannerJob(),
    AotiJob(),
    ServedAotiJob(),
    ModelJob(FP8, ("step",)),
    ModelJob(FP8, ("distilled", "decode")),
    ModelJob(UNCOMPILED, _BOTH),
    ModelJob(EAGER, _BOTH),
)
#: Only when named: which op is wrong in a package, if one is.
DIAGNOSES: tuple[Job, ...] = (
    AotiJob("aoti: none of ours", ops=()),
    AotiJob("aoti: group_norm_silu", ops=("group_norm_silu",)),
    AotiJob("aoti: yuv420", ops=("yuv420",)),
    ModelJob(Rung("ours in one piece", replace(OURS.switches, regional=False, upsample_conv=False)), ("decode",)),
)
#: Of the ablation; what compiles nothing comes first, for the others are told in its terms.
LADDERS: tuple[Job, ...] = (*map(LadderJob, _BOTH), *_compiled(climbing()))
#: The second ladder once more, every rung compiled.
COMPILED_LADDERS = _compiled(leaving_out(compiled=True))


def job_named(name: str, among: Sequence[Job] = (*JOBS, *DIAGNOSES)) -> Job:
    """Raises ValueError where there is none."""
    found = [job for job in among if job.name == name]
    if not found:
        raise ValueError(f"--job {name} is no job; choose of {'; '.join(job.name for job in among)}")
    return found[0]


def run(scale: Scale, emit: Emit, deadline: Deadline) -> None:
    """The suite's section: `JOBS`, or those that the scale names."""
    measure_all([job_named(name) for name in dict.fromkeys(scale.jobs)] or JOBS, scale, emit, deadline)


def measure_all(jobs: Sequence[Job], scale: Scale, emit: Emit, deadline: Deadline) -> None:
    """In this process where nothing is compiled, else side by side, as many at once as the GPU's memory holds."""
    if scale.compile:
        rounds = rounds_of(jobs, _room(scale))
        for index, some in enumerate(rounds):
            share = len(some) / sum(map(len, rounds[index:]))
            side_by_side(some, scale, emit, Deadline(deadline.left * share))
        return
    for job in jobs:
        try:
            job.run(scale, emit, lambda: None)
        except Exception as error:  # noqa: BLE001 - recorded, and the next job is another program
            emit(what="jobs", job=job.name, failed=reason(error))


def rounds_of(jobs: Sequence[Job], room: float) -> list[list[Job]]:
    """The jobs in their order, cut into rounds that hold at most `room` GB together, or are one job."""
    rounds: list[list[Job]] = []
    for job in jobs:
        if not rounds or sum(each.gigabytes for each in (*rounds[-1], job)) > room:
            rounds.append([])
        rounds[-1].append(job)
    return rounds


def _room(scale: Scale) -> float:
    """GB of the GPU that jobs may have: nine tenths, for what compilers try out."""
    if scale.device != "cuda" or not torch.cuda.is_available():
        return math.inf
    return float(torch.cuda.get_device_properties(0).total_memory) / 1e9 * 0.9
