"""Every file says that a machine made it, as readers of others find it, and is the same picture."""

import io
import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from framecast.media.encoder import encode_chunk
from framecast.media.errors import MalformedMovie
from framecast.media.planes import Planes
from framecast.media.provenance import SOURCE_TYPE, label, label_movie, label_picture, producer

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


def grey(width: int, height: int, frames: int = 2) -> Planes:
    ramp = np.linspace(20, 200, width * height, dtype=np.uint8).reshape(1, height, width).repeat(frames, 0)
    half = np.full((frames, height // 2, width // 2), 128, np.uint8)
    return Planes(ramp, half, half)


@pytest.mark.parametrize("codec", ["h264", "vp9", "av1"])
def test_movies_say_so_to_ffprobe_and_play(codec: str, tmp_path: Path) -> None:
    parts = [
        encode_chunk(grey(64, 48), codec=codec, fps=24, first_frame=2 * n, sequence=n + 1, include_header=n == 0).parts[
            0
        ]
        for n in range(2)
    ]
    path = tmp_path / "movie.mp4"
    path.write_bytes(b"".join(parts))
    command = ["ffprobe", "-v", "error", "-count_frames", "-of", "json", "-show_format", "-show_streams", str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    found = json.loads(ran.stdout)
    assert found["streams"][0]["nb_read_frames"] == "4"
    tags = found["format"]["tags"]
    assert json.loads(tags["AIGC"]) == json.loads(label())
    assert json.loads(tags["AIGC"])["Label"] == "1"
    assert tags["comment"] == f"Made by a machine: {producer()}. AI-generated, 人工智能生成."
    assert parts[1].count(b"AIGC") == 0, "once a movie"


@pytest.mark.parametrize("codec", ["png", "jpeg", "webp"])
def test_pictures_say_so_to_pillow_and_are_what_they_were(codec: str) -> None:
    file = encode_chunk(grey(34, 18), codec=codec, fps=24, first_frame=0, sequence=1, include_header=True).parts[0]
    with Image.open(io.BytesIO(file)) as image:
        xmp = image.info["xmp"] if "xmp" in image.info else image.info["XML:com.adobe.xmp"].encode()
        pixels = np.asarray(image.convert("RGB"))
        assert image.size == (34, 18)
    (described,) = ElementTree.fromstring(xmp.rstrip(b"\0")).iter(f"{RDF}Description")  # noqa: S314 - our own
    assert described.attrib["{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"] == SOURCE_TYPE
    assert json.loads(described.attrib["{http://www.tc260.org.cn/ns/AIGC/1.0/}AIGC"]) == json.loads(label())
    plain = strip(codec, file)
    assert label_picture(plain) == file
    with Image.open(io.BytesIO(plain)) as image:
        assert "xmp" not in image.info
        assert "XML:com.adobe.xmp" not in image.info
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), pixels)


def strip(codec: str, file: bytes) -> bytes:
    """The file without its label, cut out by hand."""
    if codec == "png":
        start = file.index(b"iTXt") - 4
        return file[:start] + file[start + 12 + int.from_bytes(file[start : start + 4], "big") :]
    if codec == "jpeg":
        start = file.index(b"\xff\xe1")
        return file[:start] + file[start + 2 + int.from_bytes(file[start + 2 : start + 4], "big") :]
    start = file.index(b"XMP ")
    content = file[30:start]
    return b"RIFF" + (4 + len(content)).to_bytes(4, "little") + b"WEBP" + content


def test_a_lossless_and_an_extended_webp_keep_their_sizes() -> None:
    image = Image.fromarray(np.arange(3 * 5 * 7, dtype=np.uint8).reshape(5, 7, 3))
    profile = b"not a profile, but kept"
    for options in ({"lossless": True}, {"quality": 90, "icc_profile": profile}):
        buffer = io.BytesIO()
        image.save(buffer, "webp", **options)
        with Image.open(io.BytesIO(label_picture(buffer.getvalue()))) as labelled:
            assert labelled.size == (7, 5)
            assert SOURCE_TYPE.encode() in labelled.info["xmp"]
            assert labelled.info.get("icc_profile") == options.get("icc_profile")


def test_what_is_neither_stays_and_what_is_no_movie_is_refused() -> None:
    assert label_picture(b"GIF89a") == b"GIF89a"
    with pytest.raises(MalformedMovie, match="moov"):
        label_movie(b"\0\0\0\x08ftyp")
    with pytest.raises(MalformedMovie, match="64 bits"):
        label_movie(b"\0\0\0\x01moov" + (16).to_bytes(8, "big"))
