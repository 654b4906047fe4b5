"""What Linux knows of a stage's process."""

from contextlib import suppress
from pathlib import Path


def processor_time(pid: int) -> int:
    """Nanoseconds that the threads of a process have run (sched-stats, /proc/PID/task/TID/schedstat).

    A process that is stopped gets none; one that waits wakes up now and then, and has had more at every look.
    """
    total = 0
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                total += int((thread / "schedstat").read_text(encoding="ascii").split()[0])
    return total
