"""Locks on files and folders by which a living process says that they are its own; they end with it."""

import fcntl
import os
from pathlib import Path


def held(path: Path) -> bool:
    """Whether somebody holds the lock on a file or folder, or nobody can tell.

    Raises:
        OSError: it cannot be opened, or is a link.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
