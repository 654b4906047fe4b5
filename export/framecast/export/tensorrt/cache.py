"""Finished plans by what they were made from, never by a path alone.

An entry is two files named by the SHA-256 of its request: the plan, and then its description. An entry without a
description, with a plan whose content has changed, or with the description of another request is no entry.
"""

import hashlib
import os
import tempfile
from pathlib import Path

from framecast.engines.manifest import sha256
from framecast.export.tensorrt.plan import Plan, Request


class EngineCache:
    """Plans under `folder`. Several processes may use it at once.

    Args:
        folder: made when something is stored.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, request: Request) -> Path:
        """Where the plan of `request` is or would be."""
        return self._folder / f"{hashlib.sha256(request.canonical().encode()).hexdigest()}.plan"

    def find(self, request: Request) -> Plan | None:
        """The plan of an equal request, checked."""
        path = self.path(request)
        try:
            plan = Plan.from_json(path, path.with_suffix(".json").read_text(encoding="utf-8"))
            intact = plan.request == request.canonical() and sha256(path) == plan.sha256
        except (OSError, KeyError, TypeError, ValueError):
            return None
        return plan if intact else None

    def store(self, plan: Plan, content: bytes) -> None:
        """Writes the plan and then its description, each at once or not at all."""
        write_atomically(plan.path, content)
        write_atomically(plan.path.with_suffix(".json"), plan.to_json().encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Replaces `path`: a reader sees the old content or the new, also when the machine stops in between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
