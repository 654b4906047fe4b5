"""The media type of a movie, exact enough for a player to decide by: `video/mp4; codecs="avc1.64000d"`."""

from collections.abc import Callable

from framecast.media.boxes import Box, children, find_box, read_field
from framecast.media.errors import MalformedMovie


def movie_mime(init: bytes) -> str:
    """Media type of a movie with one video track (RFC 6381).

    Args:
        init: its init segment; more may follow.

    Raises:
        MalformedMovie: the track is not H.264, VP9 or AV1, or its description is broken.
    """
    description = find_box(init, "moov", "trak", "mdia", "minf", "stbl", "stsd")
    entry = next(children(init, description), None)
    if entry is None or entry.kind not in _READERS:
        raise MalformedMovie(f"The track holds {'nothing' if entry is None else repr(entry.kind)}, not a known codec.")
    kind, read = _READERS[entry.kind]
    for box in children(init, entry):
        if box.kind == kind:
            return f'video/mp4; codecs="{entry.kind}.{read(init, box)}"'
    raise MalformedMovie(f"The sample entry {entry.kind!r} has no box {kind!r}.")


def _h264(data: bytes, box: Box) -> str:
    # ISO/IEC 14496-15, 5.3.3.1: version, then profile, compatibility flags and level, in hexadecimal.
    return "".join(f"{read_field(data, box, 'B', offset):02x}" for offset in (1, 2, 3))


def _vp9(data: bytes, box: Box) -> str:
    # "VP Codec ISO Media File Format Binding": version and flags, profile, level, then depth, chroma and range in
    # one byte, then primaries, transfer and matrix. The string repeats them in two decimal digits each.
    profile, level, packed, *colour = (read_field(data, box, "B", offset) for offset in range(4, 10))
    return ".".join(f"{n:02d}" for n in (profile, level, packed >> 4, packed >> 1 & 7, *colour, packed & 1))


def _av1(data: bytes, box: Box) -> str:
    # "AV1 Codec ISO Media File Format Binding", 2.3 and 5. Chroma and colour may be left out when they are
    # 4:2:0 and BT.709 in limited range, which is all that this package writes.
    profile_and_level, packed = (read_field(data, box, "B", offset) for offset in (1, 2))
    tier = "H" if packed & 0x80 else "M"
    depth = 8 if not packed & 0x40 else 12 if packed & 0x20 else 10
    return f"{profile_and_level >> 5}.{profile_and_level & 31:02d}{tier}.{depth:02d}"


# Kind of the sample entry → kind of the box inside it that describes the stream, and its reader.
_READERS: dict[str, tuple[str, Callable[[bytes, Box], str]]] = {
    "avc1": ("avcC", _h264),
    "vp09": ("vpcC", _vp9),
    "av01": ("av1C", _av1),
}
