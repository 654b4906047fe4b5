"""The encodings on offer, by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from framecast.media.errors import UnknownCodec


@dataclass(frozen=True)
class Codec:
    """How pictures become bytes.

    Attributes:
        name: what a caller asks for.
        encoder: FFmpeg's name of the encoder; there is no substitute when it is missing.
        pixels: FFmpeg's name of the pixel format it is fed; ``yuvj420p`` is yuv420p in full range.
        options: its private options. One thread each, so that the same planes give the same bytes.
        picture_mime: media type of a still picture; empty for video, which goes into fragmented MP4.
    """

    name: str
    encoder: str
    pixels: str
    options: Mapping[str, str]
    picture_mime: str = ""

    @property
    def is_video(self) -> bool:
        """Whether frames are coded together, as one closed group, rather than one by one."""
        return not self.picture_mime


# Longer than any chunk: the one keyframe is the first frame.
ONE_GROUP = {"g": "100000"}

_ALL = (
    # One quantiser for all, not a crf: that needs the macroblock tree, or still pictures breathe; and in x264 165 with
    # AVX-512 the tree reads memory that nobody wrote, so that the same planes gave other bytes (docs/log.md,
    # 2026-11-28). No B-frames: decode order is display order, and no edit list is needed.
    Codec(
        "h264",
        "libx264",
        "yuv420p",
        {"preset": "veryfast", "qp": "22", "bf": "0", "sc_threshold": "0", **ONE_GROUP},
    ),
    Codec(
        "vp9",
        "libvpx-vp9",
        "yuv420p",
        {
            "deadline": "realtime",
            "cpu-used": "5",
            "crf": "20",
            "b": "0",  # constant quality
            "lag-in-frames": "0",
            "auto-alt-ref": "0",
            "row-mt": "0",
            **ONE_GROUP,
        },
    ),
    # Hierarchical prediction, its default, saves a third of the bytes of its low-delay mode.
    Codec("av1", "libsvtav1", "yuv420p", {"preset": "8", "crf": "22", "svtav1-params": "lp=1", **ONE_GROUP}),
    Codec("jpeg", "mjpeg", "yuvj420p", {"qmin": "2", "qmax": "2", "flags": "+bitexact"}, "image/jpeg"),
    Codec("png", "png", "rgb24", {"compression_level": "3", "pred": "sub"}, "image/png"),
    Codec("webp", "libwebp", "yuv420p", {"quality": "90", "compression_level": "2"}, "image/webp"),
)

CODECS: Mapping[str, Codec] = MappingProxyType({codec.name: codec for codec in _ALL})


def find_codec(name: str) -> Codec:
    """The codec of that name. Raises UnknownCodec, which lists the names there are."""
    if name not in CODECS:
        raise UnknownCodec(f"There is no codec {name!r}, only {', '.join(CODECS)}.")
    return CODECS[name]
