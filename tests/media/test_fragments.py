import struct
from collections.abc import Callable

import pytest

from framecast.media.boxes import boxes, find_box, read_field
from framecast.media.codecs import find_codec
from framecast.media.errors import MalformedMovie
from framecast.media.fragments import place_movie, place_segment, read_timescale, split_movie
from framecast.media.movie import encode_movie
from framecast.media.planes import Planes


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def segment(tfdt: bytes) -> bytes:
    moof = box(b"moof", box(b"mfhd", bytes(8)) + box(b"traf", box(b"tfhd", bytes(8)) + box(b"tfdt", tfdt)))
    return moof + box(b"mdat", b"mfhd tfdt")


def header(mdhd: bytes) -> bytes:
    return box(b"ftyp") + box(b"moov", box(b"trak", box(b"mdia", box(b"mdhd", mdhd))))


@pytest.fixture(scope="module")
def movie(cartoon: Callable[..., Planes]) -> bytes:
    return encode_movie(cartoon(3), find_codec("h264"), fps=24).data


def test_the_first_chunk_keeps_the_header_and_no_chunk_the_index(movie: bytes) -> None:
    assert [b.kind for b in boxes(movie)] == ["ftyp", "moov", "moof", "mdat", "mfra"]
    first = place_movie(movie, fps=24, first_frame=0, sequence=1, include_header=True)
    later = place_movie(movie, fps=24, first_frame=3, sequence=2, include_header=False)
    assert [b.kind for b in boxes(first)] == ["ftyp", "moov", "moof", "mdat"]
    assert [b.kind for b in boxes(later)] == ["moof", "mdat"]


def test_number_and_time_say_where_the_chunk_belongs(movie: bytes) -> None:
    placed = place_movie(movie, fps=24, first_frame=36, sequence=4, include_header=True)
    timescale = read_timescale(placed)
    assert read_field(placed, find_box(placed, "moof", "mfhd"), "I", 4) == 4
    assert read_field(placed, find_box(placed, "moof", "traf", "tfdt"), "Q", 4) == 36 * timescale // 24
    # Nothing else has changed.
    unplaced = place_movie(movie, fps=24, first_frame=0, sequence=1, include_header=True)
    assert sum(a != b for a, b in zip(placed, unplaced, strict=True)) <= 1 + 8


def test_splitting_is_the_inverse_of_joining(movie: bytes) -> None:
    first = place_movie(movie, fps=24, first_frame=0, sequence=1, include_header=True)
    later = place_movie(movie, fps=24, first_frame=3, sequence=2, include_header=False)
    init, segments = split_movie(first + later)
    assert first == init + segments[0]
    assert segments[1] == later
    assert split_movie(later) == (b"", (later,))


@pytest.mark.parametrize(
    ("tfdt", "layout", "base_time"),
    [(bytes(8), "I", 2**32 - 1), (b"\1" + bytes(11), "Q", 2**40)],
    ids=["version 0", "version 1"],
)
def test_both_versions_of_the_base_time(tfdt: bytes, layout: str, base_time: int) -> None:
    placed = place_segment(segment(tfdt), sequence=2**32 - 1, base_time=base_time)
    assert read_field(placed, find_box(placed, "moof", "mfhd"), "I", 4) == 2**32 - 1
    assert read_field(placed, find_box(placed, "moof", "traf", "tfdt"), layout, 4) == base_time
    assert placed.endswith(box(b"mdat", b"mfhd tfdt"))


def test_a_time_beyond_32_bits_needs_version_1() -> None:
    with pytest.raises(MalformedMovie, match="4294967296 does not fit"):
        place_segment(segment(bytes(8)), sequence=1, base_time=2**32)


@pytest.mark.parametrize(
    "mdhd",
    [struct.pack(">5I", 0, 1, 2, 12288, 0), struct.pack(">IQQIQ", 1 << 24, 1, 2, 12288, 0)],
    ids=["version 0", "version 1"],
)
def test_both_versions_of_the_track_header(mdhd: bytes) -> None:
    assert read_timescale(header(mdhd)) == 12288


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (header(bytes(12)), "'mdhd' is too short"),
        (header(bytes(20)), "timescale as zero"),
        (box(b"moov"), "no box moov/trak/mdia/mdhd"),
    ],
)
def test_a_track_without_timescale(data: bytes, sentence: str) -> None:
    with pytest.raises(MalformedMovie, match=sentence):
        read_timescale(data)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (box(b"moof"), "last moof has no mdat"),
        (box(b"moof") + box(b"moof"), "followed by 'moof'"),
        (box(b"mdat"), "'mdat' at byte 0 has no place"),
        (segment(bytes(8)) + box(b"moov"), "'moov' at byte .* has no place"),
        (box(b"uuid"), "'uuid' at byte 0 has no place"),
    ],
)
def test_boxes_out_of_place(data: bytes, sentence: str) -> None:
    with pytest.raises(MalformedMovie, match=sentence):
        split_movie(data)


def test_a_segment_without_base_time() -> None:
    with pytest.raises(MalformedMovie, match="no box moof/traf/tfdt"):
        place_segment(box(b"moof", box(b"mfhd", bytes(8)) + box(b"traf")) + box(b"mdat"), sequence=1, base_time=0)
    with pytest.raises(MalformedMovie, match="'tfdt' is too short"):
        place_segment(segment(b"\1" + bytes(7)), sequence=1, base_time=0)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (header(struct.pack(">5I", 0, 0, 0, 1000, 0)) + segment(bytes(8)), "1000 is not a multiple of 24"),
        (segment(bytes(8)), "must be one init segment"),
        (header(bytes(20)), "not 0 fragments"),
        (header(bytes(20)) + 2 * segment(bytes(8)), "not 2 fragments"),
    ],
)
def test_a_movie_that_is_no_chunk(data: bytes, sentence: str) -> None:
    with pytest.raises(MalformedMovie, match=sentence):
        place_movie(data, fps=24, first_frame=0, sequence=1, include_header=True)
