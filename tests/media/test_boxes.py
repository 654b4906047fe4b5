import struct

import pytest

from framecast.media.boxes import Box, boxes, children, find_box, read_field
from framecast.media.errors import MalformedMovie


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def test_boxes_in_order() -> None:
    data = box(b"ftyp", b"1234") + box(b"free") + box(b"moov", box(b"mvhd"))
    assert list(boxes(data)) == [Box("ftyp", 0, 8, 12), Box("free", 12, 20, 20), Box("moov", 20, 28, 36)]


def test_a_size_of_64_bits() -> None:
    data = struct.pack(">I4sQ", 1, b"mdat", 20) + b"1234" + box(b"free")
    assert list(boxes(data)) == [Box("mdat", 0, 16, 20), Box("free", 20, 28, 28)]


def test_a_size_of_zero_reaches_to_the_end() -> None:
    assert list(boxes(box(b"free") + struct.pack(">I4s", 0, b"mdat") + b"12345")) == [
        Box("free", 0, 8, 8),
        Box("mdat", 8, 16, 21),
    ]


def test_a_kind_inside_a_payload_is_not_a_box() -> None:
    inner = box(b"traf", box(b"free", b"\0\0\0\x14tfdt junk") + box(b"tfdt", b"\1\0\0\0"))
    data = box(b"mdat", b"moof tfdt") + box(b"moof", inner)
    found = find_box(data, "moof", "traf", "tfdt")
    assert data[found.body : found.end] == b"\1\0\0\0"


def test_sample_entries_lie_behind_their_fields() -> None:
    entry = box(b"avc1", bytes(78) + box(b"avcC", b"\1"))
    data = box(b"stsd", bytes(8) + entry)
    assert [found.kind for found in children(data, find_box(data, "stsd", "avc1"))] == ["avcC"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\0\0\0", "byte 0 is cut short"),
        (box(b"free") + b"\0\0\0\x10moo", "byte 8 is cut short"),
        (struct.pack(">I4s", 1, b"mdat") + b"\0\0", "'mdat' at byte 0 is cut short"),
        (struct.pack(">I4s", 7, b"moov"), "'moov' at byte 0 gives its size as 7"),
        (struct.pack(">I4sQ", 1, b"mdat", 0), "gives its size as 0"),
        (struct.pack(">I4sQ", 1, b"mdat", 2**64 - 1), "past the end"),
        (struct.pack(">I4s", 100, b"moov"), "'moov' at byte 0 reaches 92 bytes past the end"),
    ],
)
def test_malformed_boxes_end_the_walk(data: bytes, sentence: str) -> None:
    with pytest.raises(MalformedMovie, match=sentence):
        list(boxes(data))


def test_a_child_does_not_leave_its_parent() -> None:
    data = box(b"moov", struct.pack(">I4s", 20, b"trak")) + bytes(64)
    with pytest.raises(MalformedMovie, match="'trak' at byte 8 reaches 12 bytes past the end"):
        find_box(data, "moov", "trak")


def test_a_preface_does_not_leave_its_box() -> None:
    data = box(b"stsd", b"\0\0") + box(b"avc1")
    assert list(children(data, find_box(data, "stsd"))) == []


def test_a_missing_box_is_named_by_its_path() -> None:
    with pytest.raises(MalformedMovie, match="There is no box moov/trak/mdia"):
        find_box(box(b"moov", box(b"trak")), "moov", "trak", "mdia")
    with pytest.raises(MalformedMovie, match="empty path"):
        find_box(b"")


def test_a_field_beyond_the_box_is_refused() -> None:
    data = box(b"tfdt", b"\1\2\3\4") + bytes(8)
    found = find_box(data, "tfdt")
    assert read_field(data, found, "I", 0) == 0x01020304
    with pytest.raises(MalformedMovie, match="'tfdt' is too short"):
        read_field(data, found, "Q", 0)


def test_no_truncation_loops_or_escapes() -> None:
    data = box(b"moov", box(b"trak", box(b"mdia", box(b"mdhd", bytes(24)))))
    for length in range(1, len(data)):
        with pytest.raises(MalformedMovie):
            find_box(data[:length], "moov", "trak", "mdia", "mdhd")
