"""Planes → one fragmented MP4 of one closed group of pictures."""

import io
import os
import time
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
from av.codec.codec import UnknownCodecError
from av.container import OutputContainer
from av.packet import Packet
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream

from framecast.media.codecs import Codec
from framecast.media.errors import EncodingFailed
from framecast.media.planes import Planes

# empty_moov: the header needs no frame. frag_custom: one fragment, written when the movie is closed.
# bitexact: no version of the muxer in the file.
MUXER = {"movflags": "empty_moov+default_base_moof+frag_custom", "fflags": "+bitexact"}


@dataclass(frozen=True)
class Movie:
    """A movie as the muxer wrote it, and the seconds that the muxer took, closing the file included."""

    data: bytes
    mux_seconds: float


def encode_movie(planes: Planes, codec: Codec, fps: int) -> Movie:
    """Encodes and muxes pictures alone, as a movie that begins at time zero with a keyframe.

    Args:
        codec: one of the video codecs.
        fps: frames a second.

    Raises:
        EncodingFailed: FFmpeg lacks the encoder, does not know one of its options, or gives up.
    """
    # SVT-AV1 prints its settings to standard error unless told, before it first opens, to print errors only.
    os.environ.setdefault("SVT_LOG", "1")
    file = io.BytesIO()
    tick, muxing = Fraction(1, fps), 0.0
    try:
        with av.open(file, "w", format="mp4", options=MUXER) as movie:
            stream = cast(VideoStream, movie.add_stream(codec.encoder, rate=fps, options=dict(codec.options)))
            context = stream.codec_context
            context.width, context.height, context.pix_fmt = planes.width, planes.height, codec.pixels
            context.time_base, context.thread_count = tick, 1
            context.color_range, context.colorspace = ColorRange.MPEG, Colorspace.ITU709
            context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
            for index in range(len(planes)):
                muxing += _mux(movie, stream.encode(_frame(planes, index, tick)))
            muxing += _mux(movie, stream.encode(None))
            unknown = list(context.options)  # what the encoder did not take when it opened
            closing = time.perf_counter()
        muxing += time.perf_counter() - closing
    except (av.FFmpegError, UnknownCodecError) as error:
        raise EncodingFailed(f"The encoder {codec.encoder} failed on {len(planes)} frames.") from error
    if unknown:
        raise EncodingFailed(f"The encoder {codec.encoder} has no option {unknown[0]!r}.")
    return Movie(file.getvalue(), muxing)


def _mux(movie: OutputContainer, packets: "list[Packet[VideoStream]]") -> float:
    """Seconds it took to mux them; the first packets write the header too."""
    started = time.perf_counter()
    movie.mux(packets)
    return time.perf_counter() - started


def _frame(planes: Planes, index: int, tick: Fraction) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(planes.packed(index), format="yuv420p")
    frame.pts, frame.time_base, frame.duration = index, tick, 1
    return frame
