"""Replays the ladder of optimisations on a denoise step and a decode, and keeps a dated entry of all of it."""

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from framecast.bench.gpu.denoise import decoding, stepping
from framecast.bench.gpu.module import Workload, ready, timed
from framecast.bench.gpu.report import tables
from framecast.bench.gpu.rows import Deadline, Emit, reason
from framecast.bench.gpu.scale import Scale
from framecast.bench.gpu.switches import Rung, climbing, leaving_out
from framecast.bench.record import Record

COMPILE_SECONDS = 110.0  # that compiling a step may take


def run(scale: Scale, emit: Emit, deadline: Deadline, *, compiled: bool = False) -> None:
    """Both ladders of both workloads: one more on at a time, then everything but one.

    Args:
        scale: see `Scale`.
        emit: takes a row for each rung, failed and wrong ones too.
        deadline: rungs that no longer fit are said to be left out.
        compiled: compile every rung of the second ladder too, a minute or two each, and not the last of the first only.
    """
    ladders = (("one more on", climbing()), ("all but one", leaving_out(compiled=compiled)))
    for make in (stepping, decoding):
        work = make(scale)
        for ladder, rungs in ladders:
            _climb(work, ladder, rungs, scale, emit, deadline)
        del work
        if scale.device == "cuda":
            torch.cuda.empty_cache()


def _climb(work: Workload, ladder: str, rungs: Sequence[Rung], scale: Scale, emit: Emit, deadline: Deadline) -> None:
    first: float | None = None

    def told(**row: Any) -> None:
        nonlocal first
        us = row.get("call_us")
        first = first if first is not None else us
        ratio = {"of_first": us / first} if us is not None and first else {}
        emit(**{"what": work.name, "ladder": ladder, **row, **ratio})

    for rung in rungs:
        needed = COMPILE_SECONDS if rung.switches.compile and scale.compile else 5.0
        if scale.name == "full" and not deadline.allows(needed):
            told(rung=rung.name, skipped=f"{deadline.left:.0f} s left, about {needed:.0f} s needed")
            continue
        try:
            with ready(work, rung, scale, told) as made:
                if made is not None:
                    timed(work, made, scale, told)
        except Exception as error:  # noqa: BLE001 - a rung that fails belongs in the log
            told(rung=rung.name, failed=reason(error))


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
