"""What Linux knows of a stage's process."""

from contextlib import suppress
from pathlib import Path


def work_done(pid: int) -> tuple[int, ...]:
    """A mark that changes whenever a process has had processor time: its ticks, and its threads' nanoseconds (proc(5)).

    A process that is stopped gets none; one that waits wakes up now and then. Ticks are of hundredths of a second;
    the nanoseconds of a thread that runs on without a pause may be told late, its ticks are not.
    """
    found: list[int] = []
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        found += [int(fields[11]), int(fields[12])]  # utime, stime
        for thread in sorted(Path(f"/proc/{pid}/task").iterdir()):
            with suppress(OSError):
                found.append(int((thread / "schedstat").read_text(encoding="ascii").split()[0]))
    return tuple(found)
