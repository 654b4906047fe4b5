"""Processor and memory of a process and everything it started."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class TreeReading:
    """A process tree at one moment.

    Attributes:
        cpu_seconds: used so far by the processes that are alive.
        rss_mb: resident memory added up, MiB; pages that processes share count once for each.
        pss_mb: the same with shared pages divided among those who share them; None: the kernel does not say.
        processes: how many.
    """

    cpu_seconds: float
    rss_mb: float
    pss_mb: float | None
    processes: int


def read_tree(pid: int, without: int | None = None) -> TreeReading | None:
    """The tree of `pid`; None when it has gone, or nothing is left of it.

    Args:
        pid: of its root.
        without: pid of a process in the tree that is left out, with what it started: the benchmark, where the server
            started it.
    """
    try:
        root = psutil.Process(pid)
        seconds, rss, pss, count = 0.0, 0.0, 0.0, 0
        known = True
        for process in _tree(root, without):
            with suppress(psutil.Error):
                times = process.cpu_times()
                seconds += times.user + times.system
                rss += process.memory_info().rss / 2**20
                share = _pss(process.pid)
                pss, known, count = pss + (share or 0.0), known and share is not None, count + 1
    except psutil.NoSuchProcess:
        return None
    if not count:
        return None
    return TreeReading(seconds, rss, pss if known else None, count)


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    return pid > 0 and psutil.pid_exists(pid)


def serving_parent() -> int | None:
    """Pid of the `framecast serve` that started this process with `serve -- COMMAND`; None: something else did."""
    with suppress(psutil.Error):
        parent = psutil.Process().parent()
        while parent is not None and parent.pid > 1:
            if "serve" in parent.cmdline() and "FRAMECAST_ADDRESS" in os.environ:
                return parent.pid
            parent = parent.parent()
    return None


def metrics_url(pid: int) -> str | None:
    """The metrics page of the tritonserver that `pid` started; None: it started none, or without a port."""
    port = triton_option(pid, "metrics-port")
    return f"http://127.0.0.1:{port}/metrics" if port else None


def triton_option(pid: int, option: str) -> str | None:
    """What the tritonserver below `pid` was given as `option`; None: there is none."""
    with suppress(psutil.Error):
        for process in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.Error):
                words = process.cmdline()
                given = [word.partition("=")[2] for word in words if word.startswith(f"--{option}=")]
                if process.name() == "tritonserver" and given:
                    return given[0]
    return None


def _tree(process: psutil.Process, without: int | None) -> Iterator[psutil.Process]:
    if process.pid == without:
        return
    yield process
    with suppress(psutil.Error):
        for child in process.children():
            yield from _tree(child, without)


def _pss(pid: int) -> float | None:
    with suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return None
