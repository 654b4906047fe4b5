"""A process and all that come of it: they share the process group of the whole bench, which is not to end with them.

On the standard library alone: a borrowed machine may have no psutil.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path


def end_with_children(pid: int) -> None:
    """SIGKILL to a process of ours, its children, and theirs; Linux only.

    It is stopped first, for it could start others meanwhile; of its children those are asked that they still have.
    """
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    for child in _children(pid):
        end_with_children(child)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = status.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
            found += [int(status.parent.name)] * (int(parent) == pid)
    return found
