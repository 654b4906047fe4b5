"""Files that get a line for each thing that is done, and are gone on with after a death in the middle of one."""

from __future__ import annotations

from pathlib import Path


def finished(lines: Path, *, mend: bool = False) -> list[str]:
    """The whole lines of a file that has one for each finished row; what a writer that died left of another is none.

    `mend` cuts the file there, so that it may be appended to. No file has no lines.
    """
    content = lines.read_bytes() if lines.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    if mend and len(whole) < len(content):
        lines.write_bytes(whole)
    return whole.decode("utf-8").split("\n")[:-1]  # at no other ends of lines, which a text may hold
