"""Walks the boxes of an MP4 file (ISO/IEC 14496-12, 4.2): a size, a four-character kind, a body."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from framecast.media.errors import MalformedMovie

# Bytes between the start of a body and the boxes inside it, for the kinds that are more than a list of boxes.
_PREFACE = {
    "stsd": 8,  # version, flags, number of entries (8.5.2)
    "avc1": 78,  # the fields of VisualSampleEntry (12.1.3)
    "vp09": 78,
    "av01": 78,
}


@dataclass(frozen=True)
class Box:
    """Where a box lies; all offsets are in bytes from the start of the data it was found in.

    Attributes:
        kind: its four characters.
        start: of its size field.
        body: of what follows size and kind.
        end: of the byte after it.
    """

    kind: str
    start: int
    body: int
    end: int


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes that lie one after the other in ``data[start:end]``.

    Raises:
        MalformedMovie: a box is cut short, is smaller than its own header or reaches past the end.
    """
    end = len(data) if end is None else end
    while start < end:
        if end - start < 8:
            raise MalformedMovie(f"The box at byte {start} is cut short in its header.")
        size, name = struct.unpack_from(">I4s", data, start)
        kind, header = name.decode("latin-1"), 8
        if size == 1:  # the size is in the 64 bits after the kind
            if end - start < 16:
                raise MalformedMovie(f"The box {kind!r} at byte {start} is cut short in its header.")
            (size,), header = struct.unpack_from(">Q", data, start + 8), 16
        elif size == 0:  # to the end of the file
            size = end - start
        if size < header:
            raise MalformedMovie(f"The box {kind!r} at byte {start} gives its size as {size}, less than its header.")
        if start + size > end:
            raise MalformedMovie(f"The box {kind!r} at byte {start} reaches {start + size - end} bytes past the end.")
        yield Box(kind, start, start + header, start + size)
        start += size


def children(data: bytes, box: Box) -> Iterator[Box]:
    """The boxes inside `box`. Raises MalformedMovie as `boxes` does."""
    return boxes(data, min(box.body + _PREFACE.get(box.kind, 0), box.end), box.end)


def find_box(data: bytes, *path: str) -> Box:
    """The first box at the end of a path of kinds: ``find_box(data, "moof", "traf", "tfdt")``.

    Raises:
        MalformedMovie: there is none, or a box on the way is malformed.
    """
    level = boxes(data)
    found = None
    for kind in path:
        found = next((box for box in level if box.kind == kind), None)
        if found is None:
            raise MalformedMovie(f"There is no box {'/'.join(path)}.")
        level = children(data, found)
    if found is None:
        raise MalformedMovie("An empty path leads to no box.")
    return found


def read_field(data: bytes, box: Box, layout: str, offset: int) -> int:
    """One big-endian integer of a box.

    Args:
        layout: one letter of `struct`: ``B``, ``I`` or ``Q``.
        offset: bytes from the start of the body.

    Raises:
        MalformedMovie: the box is too short to hold it.
    """
    if box.body + offset + struct.calcsize(">" + layout) > box.end:
        raise MalformedMovie(f"The box {box.kind!r} is too short for its fields.")
    (value,) = struct.unpack_from(">" + layout, data, box.body + offset)
    return int(value)
