"""Replays the ladder of optimisations on a denoise step and a decode, and keeps a dated entry of all of it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from framecast.bench.gpu.job import Job
from framecast.bench.gpu.jobs import COMPILED_LADDERS, LADDERS, measure_all
from framecast.bench.gpu.report import tables
from framecast.bench.gpu.rows import Deadline, Emit
from framecast.bench.gpu.scale import Scale
from framecast.bench.gpu.switches import climbing, leaving_out
from framecast.bench.record import Record

_AT_ONCE = 10  # programs side by side; together they take some 100 GB of a GPU
_LADDERS = {
    **{rung.name: "one more on" for rung in climbing()},
    **{rung.name: "all but one" for rung in leaving_out(compiled=False)},
    **{rung.name: "all but one, compiled" for rung in leaving_out(compiled=True)},
}


def run(scale: Scale, emit: Emit, deadline: Deadline, *, compiled: bool = False) -> None:
    """Both ladders of both workloads: one more on at a time, then everything but one.

    Args:
        scale: see `Scale`.
        emit: takes a row for each rung, failed and wrong ones too, with the time over that of its ladder's first.
        deadline: of everything.
        compiled: climb the second ladder compiled too: 28 programs more, ten at once.
    """
    first: dict[tuple[Any, str], float] = {}

    def told(**row: Any) -> None:
        ladder = _LADDERS.get(row.get("rung", ""))
        if ladder is None:
            emit(**row)
            return
        us = row.get("call_us")
        ratio = {"of_first": us / first.setdefault((row["what"], ladder), us)} if us is not None else {}
        emit(**{"what": row["what"], "ladder": ladder, **row, **ratio})

    rounds = [LADDERS, *(_some_at_once(COMPILED_LADDERS) if compiled else ())]
    for index, jobs in enumerate(rounds):
        measure_all(jobs, scale, told, Deadline(deadline.left / (len(rounds) - index)))


def _some_at_once(jobs: Sequence[Job]) -> Iterator[Sequence[Job]]:
    for start in range(0, len(jobs), _AT_ONCE):
        yield jobs[start : start + _AT_ONCE]


def append_entry(record: Record, log: Path) -> None:
    """Appends the record's tables to a log of experiments, under its date, commit and command."""
    day = datetime.now(timezone.utc).date().isoformat()
    device = record.settings.get("gpu") or record.machine.get("cpu", "an unknown machine")
    head = f"\n## {day} · The ladder of optimisations on {device}\n\n"
    head += f"Commit {record.commit or 'unknown'}, `{record.command}`."
    body = "\n".join(table.replace("## ", "### ", 1) for table in tables(record.samples))
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{head} Rungs that failed or were wrong are in the tables with their reason.\n\n{body}")
