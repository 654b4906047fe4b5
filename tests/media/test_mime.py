import io
import re
import struct
from collections.abc import Callable

import av
import pytest

from framecast.media.encoder import encode_chunk
from framecast.media.errors import MalformedMovie
from framecast.media.mime import movie_mime
from framecast.media.planes import Planes


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def movie(*entries: bytes) -> bytes:
    body = box(b"stsd", bytes(8) + b"".join(entries))
    for kind in (b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        body = box(kind, body)
    return box(b"ftyp") + body


def entry(kind: bytes, *inside: bytes) -> bytes:
    return box(kind, bytes(78) + b"".join(inside))


@pytest.mark.parametrize(
    ("sample_entry", "codecs"),
    [
        (entry(b"avc1", box(b"pasp", bytes(8)), box(b"avcC", b"\1\x4d\x40\x0d\xff")), "avc1.4d400d"),
        (entry(b"vp09", box(b"vpcC", bytes.fromhex("01000000 00 1f 82 01 01 01"))), "vp09.00.31.08.01.01.01.01.00"),
        (entry(b"vp09", box(b"vpcC", bytes.fromhex("01000000 02 33 a7 09 10 09"))), "vp09.02.51.10.03.09.16.09.01"),
        (entry(b"av01", box(b"av1C", bytes.fromhex("81 04 0c 00"))), "av01.0.04M.08"),
        (entry(b"av01", box(b"av1C", bytes.fromhex("81 2d c0 00"))), "av01.1.13H.10"),
        (entry(b"av01", box(b"av1C", bytes.fromhex("81 4d 60 00"))), "av01.2.13M.12"),
    ],
)
def test_known_descriptions(sample_entry: bytes, codecs: str) -> None:
    assert movie_mime(movie(sample_entry)) == f'video/mp4; codecs="{codecs}"'


def test_h264_says_what_the_stream_says(cartoon: Callable[..., Planes]) -> None:
    chunk = encode_chunk(cartoon(2), codec="h264", fps=24, first_frame=0, sequence=1, include_header=True)
    with av.open(io.BytesIO(chunk.parts[0])) as container:
        extradata = container.streams.video[0].codec_context.extradata  # the body of avcC, as FFmpeg read it
    assert extradata is not None
    assert chunk.mime == f'video/mp4; codecs="avc1.{extradata[1:4].hex()}"'


def test_vp9_says_what_the_stream_says(cartoon: Callable[..., Planes]) -> None:
    chunk = encode_chunk(cartoon(2), codec="vp9", fps=24, first_frame=0, sequence=1, include_header=True)
    # Profile 0, 8 bits, 4:2:0, BT.709 thrice, limited range; the level is the least that holds 96×64 at 24.
    assert chunk.mime == 'video/mp4; codecs="vp09.00.10.08.01.01.01.01.00"'


def test_av1_says_what_the_stream_says(cartoon: Callable[..., Planes]) -> None:
    chunk = encode_chunk(cartoon(2), codec="av1", fps=24, first_frame=0, sequence=1, include_header=True)
    with av.open(io.BytesIO(chunk.parts[0])) as container:
        extradata = container.streams.video[0].codec_context.extradata  # the body of av1C
    assert extradata is not None
    match = re.fullmatch(r'video/mp4; codecs="av01\.(\d)\.(\d\d)M\.08"', chunk.mime)
    assert match is not None
    assert (int(match[1]), int(match[2])) == (extradata[1] >> 5, extradata[1] & 31)


@pytest.mark.parametrize("codec", ["h264", "vp9", "av1"])
def test_every_chunk_of_a_video_has_the_same_type(codec: str, cartoon: Callable[..., Planes]) -> None:
    planes = cartoon(4)
    first = encode_chunk(planes, codec=codec, fps=30, first_frame=0, sequence=1, include_header=True)
    later = encode_chunk(planes[:1], codec=codec, fps=30, first_frame=4, sequence=2, include_header=False)
    assert later.mime == first.mime == movie_mime(first.parts[0])


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (movie(), "The track holds nothing"),
        (movie(entry(b"mp4a")), "The track holds 'mp4a', not a known codec"),
        (movie(entry(b"avc1", box(b"colr"))), "'avc1' has no box 'avcC'"),
        (movie(box(b"avc1", bytes(10))), "'avc1' has no box 'avcC'"),
        (movie(entry(b"avc1", box(b"avcC", b"\1\x4d"))), "'avcC' is too short"),
        (box(b"moov"), "no box moov/trak/mdia/minf/stbl/stsd"),
    ],
)
def test_broken_descriptions(data: bytes, sentence: str) -> None:
    with pytest.raises(MalformedMovie, match=sentence):
        movie_mime(data)
