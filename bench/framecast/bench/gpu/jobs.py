"""What the suite compares, a job each."""

from framecast.bench.gpu.aoti import AotiJob
from framecast.bench.gpu.denoise import ModelJob
from framecast.bench.gpu.job import Job
from framecast.bench.gpu.planner import PlannerJob
from framecast.bench.gpu.pool import side_by_side
from framecast.bench.gpu.rows import Deadline, Emit, reason
from framecast.bench.gpu.scale import Scale
from framecast.bench.gpu.switches import EAGER, FP8, OURS, PLAIN_COMPILE, UNCOMPILED

#: What the bars are about comes first.
JOBS: tuple[Job, ...] = (
    ModelJob(OURS, ("step", "decode")),
    ModelJob(PLAIN_COMPILE, ("step",)),
    ModelJob(OURS, ("distilled", "decode")),
    PlannerJob(),
    AotiJob(),
    ModelJob(FP8, ("step",)),
    ModelJob(FP8, ("distilled", "decode")),
    ModelJob(UNCOMPILED, ("step", "decode")),
    ModelJob(EAGER, ("step", "decode")),
)


def job_named(name: str) -> Job:
    """Raises ValueError where there is none."""
    found = [job for job in JOBS if job.name == name]
    if not found:
        raise ValueError(f"--job {name} is no job; choose of {'; '.join(job.name for job in JOBS)}")
    return found[0]


def run(scale: Scale, emit: Emit, deadline: Deadline) -> None:
    """`JOBS`, or those that the scale names: in this process where nothing is compiled, else side by side."""
    jobs = [job for job in JOBS if not scale.jobs or job.name in scale.jobs]
    if scale.compile:
        side_by_side(jobs, scale, emit, deadline)
        return
    for job in jobs:
        try:
            job.run(scale, emit, lambda: None)
        except Exception as error:  # noqa: BLE001 - recorded, and the next job is another program
            emit(what="jobs", job=job.name, failed=reason(error))
