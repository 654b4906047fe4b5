"""Turns movies that were muxed alone into fragments of one movie.

Every chunk leaves the muxer as a movie of its own, so its fragment claims to be the first and to begin at time zero.
Played one after the other such chunks would overlap: the number (`mfhd`, ISO/IEC 14496-12, 8.8.5) and the time
(`tfdt`, 8.8.12) of each have to say where it belongs. Nothing else refers to its place in the file, because sample
offsets count from the `moof` (default-base-is-moof, 8.8.7).
"""

import struct

from framecast.media.boxes import boxes, find_box, read_field
from framecast.media.errors import MalformedMovie
from framecast.media.provenance import label_movie

INIT = ("ftyp", "moov")
INDEX = "mfra"  # offsets from the start of a file; wrong in a stream, and no player needs it


def split_movie(data: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """Cuts a fragmented MP4, or part of one, into its segments and drops the index.

    Args:
        data: whole top-level boxes.

    Returns:
        The init segment (`ftyp` and `moov`; empty where the part has none) and the media segments
        (each a `moof` and its `mdat`).

    Raises:
        MalformedMovie: the boxes are broken, out of place or of a kind that does not belong here.
    """
    init = b""
    segments: list[bytes] = []
    moof = b""
    for box in boxes(data):
        content = data[box.start : box.end]
        if moof and box.kind != "mdat":
            raise MalformedMovie(f"A moof is followed by {box.kind!r}, not by its mdat.")
        if box.kind in INIT and not segments:
            init += content
        elif box.kind == "moof":
            moof = content
        elif box.kind == "mdat" and moof:
            segments.append(moof + content)
            moof = b""
        elif box.kind != INDEX:
            raise MalformedMovie(f"The box {box.kind!r} at byte {box.start} has no place there.")
    if moof:
        raise MalformedMovie("The last moof has no mdat.")
    return init, tuple(segments)


def read_timescale(init: bytes) -> int:
    """Ticks a second of the first track (`mdhd`, 8.4.2). Raises MalformedMovie where there are none."""
    header = find_box(init, "moov", "trak", "mdia", "mdhd")
    is_long = read_field(init, header, "B", 0) == 1  # version 1: creation and modification times of 64 bits
    timescale = read_field(init, header, "I", 20 if is_long else 12)
    if timescale == 0:
        raise MalformedMovie("The track gives its timescale as zero.")
    return timescale


def place_segment(segment: bytes, *, sequence: int, base_time: int) -> bytes:
    """Gives a media segment its place in a longer movie.

    Args:
        segment: one `moof` and its `mdat`.
        sequence: number of the fragment, from 1, below 2**32.
        base_time: decode time of its first frame, ticks of the track's timescale, below 2**64.

    Returns:
        The same bytes but for the two fields.

    Raises:
        MalformedMovie: a field is missing, or `base_time` does not fit the 32 bits of a version 0 `tfdt`.
    """
    placed = bytearray(segment)
    number = find_box(segment, "moof", "mfhd")
    read_field(segment, number, "I", 4)  # there is room for it
    struct.pack_into(">I", placed, number.body + 4, sequence)

    time = find_box(segment, "moof", "traf", "tfdt")
    layout = "Q" if read_field(segment, time, "B", 0) == 1 else "I"
    read_field(segment, time, layout, 4)
    if layout == "I" and base_time >= 2**32:
        raise MalformedMovie(f"The base time {base_time} does not fit the 32 bits that the fragment has for it.")
    struct.pack_into(">" + layout, placed, time.body + 4, base_time)
    return bytes(placed)


def place_movie(movie: bytes, *, fps: int, first_frame: int, sequence: int, include_header: bool) -> bytes:
    """Makes a movie of one fragment the part of a longer movie that begins at `first_frame`.

    Args:
        movie: as the muxer wrote it, with init segment.
        fps: frames a second; must divide the track's timescale.
        first_frame: frames of the longer movie that come before.
        sequence: number of the fragment, from 1.
        include_header: whether to keep the init segment, which then says that a machine made the movie.

    Raises:
        MalformedMovie: `movie` is not a movie of one fragment, or its timescale cannot express the frame rate.
    """
    init, segments = split_movie(movie)
    if not init or len(segments) != 1:
        raise MalformedMovie(f"A chunk must be one init segment and one fragment, not {len(segments)} fragments.")
    timescale = read_timescale(init)
    if timescale % fps:
        raise MalformedMovie(f"The timescale {timescale} is not a multiple of {fps} frames a second.")
    segment = place_segment(segments[0], sequence=sequence, base_time=first_frame * timescale // fps)
    return label_movie(init) + segment if include_header else segment
