"""Planes → a chunk on the wire. Stateless: all that ties a chunk to its video is in the arguments."""

import operator
import time
from dataclasses import dataclass, field
from typing import Any

from framecast.media.codecs import Codec, find_codec
from framecast.media.errors import EncodingFailed, InvalidTiming, MalformedMovie
from framecast.media.fragments import place_movie
from framecast.media.mime import movie_mime
from framecast.media.movie import encode_movie
from framecast.media.planes import Planes
from framecast.media.stills import encode_stills

FASTEST = 120  # frames a second


@dataclass(frozen=True)
class EncodedChunk:
    """What a chunk became.

    Attributes:
        parts: for a video codec one part, a fragment of the movie; for a picture codec one file for each frame.
        mime: media type of the movie or of each picture.
        mux_seconds: in the muxer and in giving the fragment its place; 0 for pictures, which have no muxer.
    """

    parts: tuple[bytes, ...]
    mime: str
    mux_seconds: float = field(compare=False)


def encode_chunk(
    planes: Planes, *, codec: Codec | str, fps: int, first_frame: int, sequence: int, include_header: bool
) -> EncodedChunk:
    """Encodes consecutive frames of a video.

    With a video codec they become one closed group of pictures in one fragment. All fragments of a video, in order,
    the first with header, are one fragmented MP4; each decodes after the header alone. The same arguments give the
    same bytes.

    Args:
        planes: the frames of the chunk.
        codec: a codec or its name in `framecast.media.codecs.CODECS`.
        fps: frames a second of the video, 1..120.
        first_frame: frames of the video that come before.
        sequence: place of the chunk in the video, from 1, below 2**32.
        include_header: whether to put the init segment before the fragment; pictures have none.

    Raises:
        UnknownCodec: no codec has that name.
        InvalidTiming: `fps`, `first_frame` or `sequence` is out of range.
        EncodingFailed: the encoder gave up; chunks made before stay good.
    """
    if isinstance(codec, str):
        codec = find_codec(codec)
    fps = _whole("fps", fps, 1, FASTEST)
    first_frame = _whole("first_frame", first_frame, 0, 2**48)  # far below what a 64-bit time can hold
    sequence = _whole("sequence", sequence, 1, 2**32 - 1)

    if not codec.is_video:
        return EncodedChunk(encode_stills(planes, codec), codec.picture_mime, 0.0)
    movie = encode_movie(planes, codec, fps)
    started = time.perf_counter()
    try:
        part = place_movie(
            movie.data, fps=fps, first_frame=first_frame, sequence=sequence, include_header=include_header
        )
        mime = movie_mime(movie.data)
    except MalformedMovie as error:
        raise EncodingFailed(f"The encoder {codec.encoder} wrote a movie that cannot be cut into chunks.") from error
    return EncodedChunk((part,), mime, movie.mux_seconds + time.perf_counter() - started)


def encode_chunks(planes: Planes, length: int, *, sequence: int, first_frame: int, **asked: Any) -> EncodedChunk:
    """Encodes frames in chunks of `length`, each by `encode_chunk`: the bytes of a video that came in such chunks.

    Args:
        planes: the frames, of one chunk or more.
        length: frames of a chunk; 0: all are one.
        sequence, first_frame: of the first chunk.
        asked: the rest of what `encode_chunk` takes; only the first chunk has a header.

    Returns:
        The parts of all chunks.

    Raises:
        MediaError: as `encode_chunk`.
    """
    length = length or len(planes)
    parts: list[bytes] = []
    mime, mux_seconds = "", 0.0
    for index, start in enumerate(range(0, len(planes), length)):
        if index:
            asked["include_header"] = False
        chunk = encode_chunk(
            planes[start : start + length],
            sequence=sequence + index,
            first_frame=first_frame + start,
            **asked,
        )
        parts += chunk.parts
        mime, mux_seconds = mime or chunk.mime, mux_seconds + chunk.mux_seconds
    return EncodedChunk(tuple(parts), mime, mux_seconds)


def _whole(name: str, value: int, lowest: int, highest: int) -> int:
    try:
        whole = operator.index(value)  # an integer of NumPy would overflow later on
    except TypeError:
        raise InvalidTiming(f"{name} must be a whole number, not {value!r}.") from None
    if not lowest <= whole <= highest:
        raise InvalidTiming(f"{name} must be from {lowest} to {highest}, not {whole}.")
    return whole
