"""Says inside every file that a machine made it, as the rules on synthetic media ask.

- Movies: metadata of the movie (QuickTime File Format, "Metadata"; what `ffprobe` shows as tags): a sentence, and the
  implicit label of GB 45438-2025 under the key ``AIGC``.
- Pictures: an XMP packet (ISO 16684-1) with IPTC's digital source type ``trainedAlgorithmicMedia`` and the same label,
  as TC260's guide places it.

It says nothing of who asked for what: the same frames give the same bytes. It is a label, not a seal: who edits the
file can take it out.
"""

import json
import struct
import zlib
from functools import cache
from importlib import metadata

from framecast.media.boxes import find_box
from framecast.media.errors import MalformedMovie

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
LABEL = "AIGC"
_UTF8 = 1  # type of a metadata value
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_XMP_FLAG = 0x04  # in a WebP file's header


@cache
def producer() -> str:
    """Who made it, with version."""
    return f"Framecast {metadata.version('framecast')}"


@cache
def label() -> str:
    """The label of GB 45438-2025, annex E, as JSON: made by a machine (1), and by what."""
    fields = ("ProduceID", "ReservedCode1", "ContentPropagator", "PropagateID", "ReservedCode2")
    return json.dumps({"Label": "1", "ContentProducer": producer(), **dict.fromkeys(fields, "")}, separators=(",", ":"))


def label_movie(init: bytes) -> bytes:
    """An init segment with the label at the end of its `moov`. Nothing in it counts bytes from the start of the file.

    Raises:
        MalformedMovie: there is no `moov`, or its size is written in 64 bits.
    """
    moov = find_box(init, "moov")
    if moov.body - moov.start != 8:
        raise MalformedMovie("The moov gives its size in 64 bits.")
    tags = _movie_tags()
    size = struct.pack(">I", moov.end - moov.start + len(tags))
    return init[: moov.start] + size + init[moov.start + 4 : moov.end] + tags + init[moov.end :]


def label_picture(file: bytes) -> bytes:
    """A PNG, JPEG or WebP file with the label; any other file as it is."""
    packet = _packet()
    if file.startswith(_PNG):
        header = len(_PNG) + 25  # the signature and IHDR
        return file[:header] + _png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet) + file[header:]
    if file.startswith(_JPEG):
        body = b"http://ns.adobe.com/xap/1.0/\0" + packet
        first = 2 + 2 + int.from_bytes(file[4:6], "big") if file[2:4] == b"\xff\xe0" else 2  # behind the JFIF header
        return file[:first] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + file[first:]
    if file[:4] == b"RIFF" and file[8:12] == b"WEBP":
        return _webp(file, packet)
    return file


@cache
def _packet() -> bytes:
    attribute = label().replace('"', "&quot;")
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        f' xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/" xmp:CreatorTool="{producer()}"'
        f' Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}" TC260:{LABEL}="{attribute}"/></rdf:RDF></x:xmpmeta>'
    ).encode()


@cache
def _movie_tags() -> bytes:
    tags = {"comment": f"Made by a machine: {producer()}. AI-generated, 人工智能生成.", LABEL: label()}
    keys = b"".join(_box(b"mdta", name.encode()) for name in tags)
    values = b"".join(
        _box(struct.pack(">I", number), _box(b"data", struct.pack(">II", _UTF8, 0) + value.encode()))
        for number, value in enumerate(tags.values(), 1)
    )
    handler = _box(b"hdlr", bytes(8) + b"mdta" + bytes(13))
    return _box(b"meta", handler + _box(b"keys", struct.pack(">II", 0, len(tags)) + keys) + _box(b"ilst", values))


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _webp(file: bytes, packet: bytes) -> bytes:
    """In the extended format, whose header says that XMP is at the end (Google, "WebP Container Specification")."""
    kind, body = file[12:16], file[20:]
    if kind == b"VP8X":
        header, rest = bytes([body[0] | _XMP_FLAG]) + body[1:10], file[30:]
    else:
        width, height = _webp_size(kind, body)
        header = bytes([_XMP_FLAG, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        rest = file[12:]
    chunks = b"VP8X" + struct.pack("<I", 10) + header + rest
    chunks += b"XMP " + struct.pack("<I", len(packet)) + packet + bytes(len(packet) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def _webp_size(kind: bytes, body: bytes) -> tuple[int, int]:
    if kind == b"VP8L":  # after one byte of signature, 14 bits each, less one
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", body, 6)  # of the key frame's header
    return width & 0x3FFF, height & 0x3FFF
