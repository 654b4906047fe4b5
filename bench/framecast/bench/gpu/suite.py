"""Everything we want from a GPU that is ours for minutes, in one command that keeps to its time.

Each section is a process of its own: one that crashes the CUDA context, hangs in a compiler or runs out of time is
ended and recorded, and the others go on. Rows are written as they come, and the record after every section.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framecast.bench.gpu.report import save
from framecast.bench.gpu.rows import Deadline, RowFile, read_rows
from framecast.bench.gpu.scale import Scale
from framecast.bench.gpu.sections import SECTIONS, Section
from framecast.bench.record import Record

GRACE = 6.0  # seconds between a section's own deadline and its end by force


@dataclass(frozen=True)
class Outcome:
    """How a section ended: ``done``, ``failed`` or ``out of time``; seconds; and the last words of one that failed."""

    section: str
    state: str
    seconds: float
    words: str = ""


@dataclass(frozen=True)
class SuiteOptions:
    """How the suite is run.

    Attributes:
        scale: see `Scale`.
        seconds: for everything.
        sections: in this order.
        isolate: a process for each; without, in this one, and time is kept only by the sections themselves.
        commit: what is measured; empty asks git.
    """

    scale: Scale
    seconds: float = 530.0
    sections: Sequence[Section] = SECTIONS
    isolate: bool = True
    commit: str = ""


def run_suite(options: SuiteOptions, output: Path, command: str) -> Record:
    """Runs the sections and writes `output` (JSON) and the tables beside it (.md) after each."""
    deadline = Deadline(options.seconds)
    rows_file = output.with_suffix(".rows.jsonl")
    rows_file.unlink(missing_ok=True)
    outcomes: list[Outcome] = []
    record = _record(options, outcomes, [], command)
    for index, section in enumerate(options.sections):
        shares = [later.share for later in options.sections[index:]]
        seconds = max(0.0, deadline.left - GRACE) * shares[0] / sum(shares)
        run = _isolated if options.isolate else _here
        outcomes.append(run(section, options.scale, rows_file, seconds))
        record = _record(options, outcomes, read_rows(rows_file), command)
        save(record, output)
    return record


def _here(section: Section, scale: Scale, rows: Path, seconds: float) -> Outcome:
    deadline = Deadline(seconds)
    try:
        section.run(scale, RowFile(rows, section.name), deadline)
    except Exception as error:  # noqa: BLE001 - a section that fails is recorded and the rest goes on
        return Outcome(section.name, "failed", seconds - deadline.left, f"{type(error).__name__}: {error}")
    return Outcome(section.name, "done", seconds - deadline.left)


def _isolated(section: Section, scale: Scale, rows: Path, seconds: float) -> Outcome:
    command = [sys.executable, "-m", "framecast.bench.gpu", "section", section.name]
    command += [
        "--scale",
        scale.name,
        "--dtype",
        scale.dtype,
        "--rows",
        str(rows),
        "--seconds",
        f"{seconds - GRACE:.1f}",
        *(word for job in scale.jobs for word in ("--job", job)),
    ]
    return watched(section.name, command, seconds, rows.with_suffix(f".{section.name}.log"))


def watched(name: str, command: Sequence[str], seconds: float, log: Path) -> Outcome:
    """Runs a command in a session of its own, which is killed with all of its children when the time is over."""
    deadline = Deadline(seconds)
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile("w+b") as words, _signals_noted() as came:
        process = subprocess.Popen(
            command, stdout=words, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            code = _wait(process, seconds, came)
        finally:
            _kill(process)
        words.seek(0)
        with log.open("wb") as file:
            shutil.copyfileobj(words, file)
    if came:
        raise SystemExit(128 + came[0])
    taken = seconds - deadline.left
    if code == 0:
        return Outcome(name, "done", taken)
    if code is None:
        return Outcome(name, "out of time", taken, f"ended after {seconds:.0f} s")
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return Outcome(name, "failed", taken, f"exit {code}: {lines[-1][:300] if lines else 'no words'}")


@contextmanager
def _signals_noted() -> Iterator[list[int]]:
    """Signals to stop that come inside the block, as a scheduler or a lost connection sends them, and Ctrl-C; nothing
    is raised for them, so that no process is lost that has just been started.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # which alone may set handlers
        yield came
        return
    wanted = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    before = {number: signal.getsignal(number) for number in wanted}
    for number in wanted:
        if before[number] is not signal.SIG_IGN:  # nohup's stays ignored
            signal.signal(number, lambda sent, _: came.append(sent))
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def _wait(process: "subprocess.Popen[bytes]", seconds: float, came: list[int]) -> int | None:
    """The exit code, or None where the time is over or a signal came first."""
    deadline = Deadline(max(0.1, seconds))
    while deadline.left > 0 and not came:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(min(0.2, max(0.01, deadline.left)))
    return None


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _record(options: SuiteOptions, outcomes: Sequence[Outcome], rows: list[dict[str, Any]], command: str) -> Record:
    results: dict[str, Any] = {
        f"section_{outcome.section}": f"{outcome.state}, {outcome.seconds:.1f} s"
        + (outcome.words and f": {outcome.words}")
        for outcome in outcomes
    }
    settings = {"scale": options.scale.name, "seconds": options.seconds, "dtype": options.scale.dtype}
    extra: dict[str, Any] = {"commit": options.commit} if options.commit else {}
    return Record("gpu suite", results, rows, settings, command=command, **extra)
