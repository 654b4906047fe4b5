"""Where a measurement puts its figures, one row at a time, so that none is lost when it is stopped."""

import json
import math
import re
import sys
import time
from pathlib import Path
from typing import Any, Protocol

_NAMED = re.compile(r"[\w.]*(Error|Exception): .")  # how a traceback's last line begins


class Emit(Protocol):
    """Takes one row of figures; JSON values only."""

    def __call__(self, **row: Any) -> None: ...


class RowFile:
    """Rows as JSON lines, and a short line on stderr for whoever waits."""

    def __init__(self, path: Path, section: str) -> None:
        self._path, self._section, self._began = path, section, time.monotonic()
        path.parent.mkdir(parents=True, exist_ok=True)

    def __call__(self, **row: Any) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(_finite({"section": self._section, **row}), ensure_ascii=False) + "\n")
        shown = ", ".join(f"{name} {_short(value)}" for name, value in row.items() if isinstance(value, str | float))
        sys.stderr.write(f"{time.monotonic() - self._began:6.1f} s  {self._section}: {shown}\n")
        sys.stderr.flush()


def read_rows(path: Path) -> list[dict[str, Any]]:
    """What was written; a last line that was cut off is left out."""
    rows = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue
    return rows


class Deadline:
    """Seconds that are left."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return self._end - time.monotonic()

    def allows(self, seconds: float) -> bool:
        """Whether something that takes about so long may still begin."""
        return self.left >= seconds


def _finite(value: Any) -> Any:
    """`value` with null for NaN and infinities, which JSON has not."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _short(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def reason(error: BaseException) -> str:
    """The first line of an error with its class, and the last error that its text names, each cut short.

    What happens in a compiler's processes comes with their traceback as the text of one error.
    """
    first, *more = (str(error).strip() or "no message").splitlines()
    inner = [line.strip()[:200] for line in more if _NAMED.match(line.strip())]
    return " … ".join([f"{type(error).__name__}: {first.strip()[:200]}", *inner[-1:]])
