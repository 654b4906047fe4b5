"""What a server that was killed leaves behind, and how a living one says that it lives: by locks on files.

A process's number says nothing of a server in another container that shares the folder or the memory.
"""

import fcntl
import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from framecast.locks import held

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where the python backend keeps its regions
_NAMES = re.compile(r"framecast(?:-triton-|_)(\d+)[-_]([0-9a-z]+)")


class Scratch:
    """The temporary folder and the shared memory of one server of ours.

    Attributes:
        folder: made by `make`, removed by `remove`.
        prefix: of the names of its shared memory.
    """

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.gettempdir()) / f"framecast-triton-{os.getpid()}-{name}"
        self.prefix = f"framecast_{os.getpid()}_{name}_"
        self._locks: list[int] = []

    def make(self) -> None:
        """Makes the folder and holds both locks, until `remove` or the end of this process."""
        self.folder.mkdir(mode=0o700)
        for path in (self.folder / "lock", SHARED_MEMORY / f"{self.prefix}lock"):
            lock = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
            self._locks.append(lock)
            fcntl.flock(lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Removes all of it; again is harmless."""
        for region in SHARED_MEMORY.glob(f"{self.prefix}*"):
            region.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        while self._locks:
            os.close(self._locks.pop())


def sweep() -> None:
    """Removes what servers of this user that were killed have left: their temporary folders and shared memory."""
    regions = sorted(SHARED_MEMORY.glob("framecast_*"), key=lambda path: path.name.endswith("_lock"))  # locks go last
    for found in (*Path(tempfile.gettempdir()).glob("framecast-triton-*"), *regions):
        named = _NAMES.match(found.name)
        if named is None:
            continue
        with suppress(OSError):  # another removes it too, or it is another's
            if found.lstat().st_uid != os.geteuid():
                continue
            folder = found.is_dir()
            lock = found / "lock" if folder else SHARED_MEMORY / f"framecast_{named[1]}_{named[2]}_lock"
            if _lives(lock, named[1]):
                continue
            shutil.rmtree(found, ignore_errors=True) if folder else found.unlink()


def _lives(lock: Path, pid: str) -> bool:
    """Whether somebody holds the lock; where there is none, whether there is such a process."""
    try:
        return held(lock)
    except OSError:
        return Path(f"/proc/{pid}").exists()
