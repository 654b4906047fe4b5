"""The rungs of a ladder that compile nothing, one after another on one workload."""

from dataclasses import dataclass

from framecast.bench.gpu.denoise import GIGABYTES, WORKLOADS
from framecast.bench.gpu.job import Turn
from framecast.bench.gpu.module import ready, timed
from framecast.bench.gpu.rows import Emit, reason
from framecast.bench.gpu.scale import Scale
from framecast.bench.gpu.switches import climbing, leaving_out

_RUNG_SECONDS = 5.0


@dataclass(frozen=True)
class LadderJob:
    """One more on at a time, then all but one, on one model; rungs that compile are jobs of their own.

    Attributes:
        workload: of `WORKLOADS`.
    """

    workload: str

    @property
    def name(self) -> str:
        """The workload's ladder."""
        return f"ladder: {self.workload}"

    @property
    def seconds(self) -> float:
        """So many rungs."""
        return _RUNG_SECONDS * sum(not rung.switches.compile for rung in (*climbing(), *leaving_out(compiled=False)))

    @property
    def gigabytes(self) -> float:
        """Of its one model."""
        return GIGABYTES[self.workload]

    def run(self, scale: Scale, emit: Emit, turn: Turn) -> None:
        """See `Job.run`: a row for each rung, of those that fail or are wrong too."""
        work = WORKLOADS[self.workload](scale)
        turn()
        for rung in (*climbing(), *leaving_out(compiled=False)):
            if rung.switches.compile:
                continue
            try:
                with ready(work, rung, scale, emit) as made:
                    if made is not None:
                        timed(work, made, scale, emit)
            except Exception as error:  # noqa: BLE001 - a rung that fails belongs in the log
                emit(what=work.name, rung=rung.name, failed=reason(error))
