"""`framecast serve` as a child process."""

import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from framecast.bench.telemetry.processes import triton_option

START_SECONDS = 180.0


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes:
        address: host:port of the gateway.
        triton: of its Triton's gRPC.
    """

    address: str
    triton: str


@contextmanager
def serving(repository: Path, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Serves `repository` on a free port until the block ends.

    Raises:
        OSError: it does not come up; with its last lines.
    """
    with tempfile.TemporaryDirectory(prefix="framecast-peers-") as folder:
        command = [sys.executable, "-m", "framecast.client", "serve", "--repository", str(repository)]
        process = subprocess.Popen(
            [*command, "--address", "127.0.0.1:0", "--triton-log", f"{folder}/triton.log"],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        lines: list[str] = []
        found: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(target=_read, args=(process, lines, found), name="serve-log", daemon=True)
        reader.start()
        try:
            try:
                address = found.get(timeout=START_SECONDS)
            except queue.Empty:
                address = ""
            where = [triton_option(process.pid, option) for option in ("grpc-address", "grpc-port")] if address else []
            if None in where or not where:
                raise OSError(f"the server of {repository} did not come up: {' '.join(lines[-5:]).strip()}")
            yield Server(address, ":".join(map(str, where)))
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            reader.join(5)
            if process.stderr is not None:
                process.stderr.close()


def _read(process: "subprocess.Popen[str]", lines: list[str], found: "queue.Queue[str]") -> None:
    for line in process.stderr or ():
        lines.append(line)
        if match := re.match(r"serving .+ on (\S+)$", line):
            found.put(match[1])
    found.put("")  # it has ended
