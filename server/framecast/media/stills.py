"""Planes → picture files, one for each frame."""

from fractions import Fraction
from typing import cast

import av
from av.codec.codec import UnknownCodecError
from av.video.codeccontext import VideoCodecContext

from framecast.media.codecs import Codec
from framecast.media.colour import yuv420_to_bt601, yuv420_to_rgb
from framecast.media.errors import EncodingFailed
from framecast.media.planes import Planes
from framecast.media.provenance import label_picture

FULL_RANGE = "yuvj420p"


def encode_stills(planes: Planes, codec: Codec) -> tuple[bytes, ...]:
    """Encodes every frame as a file of its own, PNG in RGB, JPEG and WebP in the BT.601 they are defined by.

    Each says that a machine made it (`framecast.media.provenance`).

    Args:
        codec: one of the picture codecs.

    Raises:
        EncodingFailed: FFmpeg lacks the encoder, does not know one of its options, or gives up.
    """
    try:
        context = cast(VideoCodecContext, av.CodecContext.create(codec.encoder, "w"))
        context.options = dict(codec.options)
        context.width, context.height, context.pix_fmt = planes.width, planes.height, codec.pixels
        context.time_base, context.thread_count = Fraction(1, 1), 1
        context.sample_aspect_ratio = Fraction(1, 1)  # without it FFmpeg leaves out the JFIF header
        packets = [
            packet for index in range(len(planes)) for packet in context.encode(_frame(planes, index, codec.pixels))
        ]
        packets += context.encode(None)
        unknown = list(context.options)
    except (av.FFmpegError, UnknownCodecError) as error:
        raise EncodingFailed(f"The encoder {codec.encoder} failed on {len(planes)} frames.") from error
    if unknown:
        raise EncodingFailed(f"The encoder {codec.encoder} has no option {unknown[0]!r}.")
    if len(packets) != len(planes):
        raise EncodingFailed(f"The encoder {codec.encoder} made {len(packets)} files of {len(planes)} frames.")
    return tuple(label_picture(bytes(packet)) for packet in packets)


def _frame(planes: Planes, index: int, pixels: str) -> av.VideoFrame:
    planes = planes[index : index + 1]
    [samples] = yuv420_to_rgb(planes) if pixels == "rgb24" else yuv420_to_bt601(planes, full_range=pixels == FULL_RANGE)
    frame = av.VideoFrame.from_ndarray(samples, format=pixels)
    frame.pts = index
    return frame
