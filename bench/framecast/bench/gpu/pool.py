"""Jobs side by side: all of them compile at once, each in a process of its own, and one after another measures.

Compiling takes minutes of one core and none of the GPU. A child writes its rows on stdout, one JSON object a line; the
object ``{"ready": seconds}`` says that its models are compiled and right, and then it waits for a line on its stdin
before it measures: nothing else uses the device meanwhile.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

from framecast.bench.gpu.family import end_with_children
from framecast.bench.gpu.job import Job
from framecast.bench.gpu.rows import Deadline, Emit
from framecast.bench.gpu.scale import Scale


def child(job: Job, scale: Scale) -> None:
    """What a child does; it talks with its parent over stdin and stdout."""
    began = time.monotonic()

    def say(**row: Any) -> None:
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()

    def turn() -> None:
        say(ready=time.monotonic() - began)
        if not sys.stdin.readline():
            raise RuntimeError("whoever started this job is gone")

    job.run(scale, say, turn)


def side_by_side(jobs: Sequence[Job], scale: Scale, emit: Emit, deadline: Deadline) -> None:
    """Starts a process a job; measures those that are ready in time, in the order of `jobs`. None is left running.

    Args:
        jobs: what to measure.
        scale: see `Scale`.
        emit: takes the rows of all jobs; one that dies, or is not ready while there is time to measure, has a row that
            says so.
        deadline: of everything.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as ends:
        said: Queue[tuple[_Child, dict[str, Any] | None]] = Queue()
        threads = max(2, 2 * (os.cpu_count() or 1) // len(jobs))  # none of them compiles all of the time
        children = [
            _Child(job, scale, Path(folder) / f"{index}.log", said, ends, threads) for index, job in enumerate(jobs)
        ]
        waiting, prepared, given_up = set(children), set[_Child](), set[_Child]()

        def hear(until: set[_Child], seconds: float) -> None:
            """Passes rows on until no child of `until` is left, or for so long."""
            end = Deadline(seconds)
            while until and end.left > 0:
                try:
                    who, row = said.get(timeout=end.left)
                except Empty:
                    return
                if row is None:
                    until.discard(who)
                    prepared.discard(who)
                    if who.process.wait() and who not in given_up:
                        emit(what="jobs", job=who.job.name, failed=who.last_words())
                elif "ready" in row and who in given_up:
                    continue
                elif "ready" in row:
                    waiting.discard(who)
                    prepared.add(who)
                    emit(what="jobs", job=who.job.name, ready_after_s=row["ready"])
                else:
                    emit(**row)

        while waiting and deadline.left > sum(each.job.seconds for each in prepared):
            hear(waiting, min(1.0, deadline.left))  # a moment at a time: who is ready takes from the time of the others
        for late in waiting:
            emit(what="jobs", job=late.job.name, skipped="not compiled in time")
            given_up.add(late)
            late.end()
        for each in children:
            if each in prepared:
                each.measure()
                measured = {each}
                hear(measured, min(3 * each.job.seconds, max(1.0, deadline.left)))
                if measured:
                    emit(what="jobs", job=each.job.name, failed="did not end in time")
                    given_up.add(each)
                    each.end()


class _Child:
    """A job in a process of its own; whatever it says goes into a queue."""

    def __init__(
        self,
        job: Job,
        scale: Scale,
        log: Path,
        said: "Queue[tuple[_Child, dict[str, Any] | None]]",
        ends: ExitStack,
        threads: int,
    ) -> None:
        self.job = job
        self._log: IO[bytes] = ends.enter_context(log.open("w+b"))
        command = [sys.executable, "-m", "framecast.bench.gpu", "job", job.name, "--scale", scale.name]
        command += ["--dtype", scale.dtype]
        pipe, environment = subprocess.PIPE, {**os.environ, "TORCHINDUCTOR_COMPILE_THREADS": str(threads)}
        environment["PYTHONFAULTHANDLER"] = "1"  # for `last_words` of one that a signal ends
        text: dict[str, Any] = {"text": True, "encoding": "utf-8", "errors": "replace"}
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self._log, env=environment, **text)
        listener = threading.Thread(target=self._listen, args=(said,), daemon=True)
        listener.start()
        ends.enter_context(self.process)  # undone from the last to the first: killed, heard to its end, closed
        ends.callback(listener.join)
        ends.callback(self.end)

    def end(self) -> None:
        """SIGKILL to it and to the compilers it has started: they have its stdout too, which else would not end."""
        if self.process.poll() is None:
            end_with_children(self.process.pid)

    def measure(self) -> None:
        """Gives it its turn; there is only one."""
        if self.process.stdin is not None:
            with suppress(BrokenPipeError):  # it is gone, which its listener tells
                self.process.stdin.write("go\n")
                self.process.stdin.close()

    def last_words(self) -> str:
        """The last line that it wrote, or its signal and where it was."""
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        status = self.process.wait()
        if status < 0:
            threads = [index for index, line in enumerate(lines) if line.startswith("Current thread")]
            place = lines[threads[-1] + 1].strip() if threads and threads[-1] + 1 < len(lines) else "nobody saw where"
            return f"ended by {signal.Signals(-status).name}, {place}"[:300]
        return lines[-1][:300] if lines else "no words"

    def _listen(self, said: "Queue[tuple[_Child, dict[str, Any] | None]]") -> None:
        try:
            for line in self.process.stdout or ():
                with suppress(ValueError):  # what a library prints is no row
                    row = json.loads(line)
                    if isinstance(row, dict):
                        said.put((self, row))
        finally:
            said.put((self, None))
