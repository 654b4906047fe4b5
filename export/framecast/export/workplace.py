"""The folder beside the output in which an export is made: gone when it ends, swept by the next when it was killed."""

import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from framecast.locks import held


@contextmanager
def workplace(output: Path) -> Iterator[Path]:
    """A new folder on the file system of `output`, removed afterwards. What killed exports to `output` left goes first.

    A living export holds a lock on its folder; nobody sweeps between a folder's making and its lock, for both are done
    under one on the folder that they are in.

    Args:
        output: what is going to be written; its parent is there.

    Raises:
        OSError: nothing can be made there.
    """
    prefix = f".{output.name}-export-"
    with _locked(output.parent):
        for left in output.parent.glob(f"{glob.escape(prefix)}*"):
            with suppress(OSError):  # it has just ended and is gone, or is another user's
                if left.is_dir() and not left.is_symlink() and not held(left):
                    shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=output.parent))
        lock = _lock(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = _lock(folder)
    try:
        yield
    finally:
        os.close(lock)


def _lock(folder: Path) -> int:
    """A lock that ends with the descriptor, or with the process."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    with suppress(OSError):  # a file system without locks: then nothing is swept either
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor
