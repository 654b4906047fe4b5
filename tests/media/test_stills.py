import io
from collections.abc import Callable

import av
import numpy as np
import pytest

from framecast.media.colour import yuv420_to_rgb
from framecast.media.encoder import EncodedChunk, encode_chunk
from framecast.media.planes import Planes

PICTURE_CODECS = {"jpeg": b"\xff\xd8\xff\xe0", "png": b"\x89PNG", "webp": b"RIFF"}


def encode(planes: Planes, codec: str, first_frame: int = 0) -> EncodedChunk:
    return encode_chunk(planes, codec=codec, fps=24, first_frame=first_frame, sequence=1, include_header=True)


def open_picture(data: bytes) -> av.VideoFrame:
    with av.open(io.BytesIO(data), "r") as container:
        [frame] = container.decode(video=0)
    return frame


@pytest.mark.parametrize(("codec", "magic"), PICTURE_CODECS.items())
def test_one_file_for_each_frame(codec: str, magic: bytes, cartoon: Callable[..., Planes]) -> None:
    chunk = encode(cartoon(3), codec)
    assert chunk.mime == f"image/{codec}"
    assert [part[: len(magic)] for part in chunk.parts] == [magic] * 3
    assert all((frame.width, frame.height) == (96, 64) for frame in map(open_picture, chunk.parts))


def test_png_is_the_reference_conversion(cartoon: Callable[..., Planes]) -> None:
    planes = cartoon(3, 34, 50)
    pictures = [open_picture(part).to_ndarray(format="rgb24") for part in encode(planes, "png").parts]
    assert np.array_equal(np.stack(pictures), yuv420_to_rgb(planes))


def test_jpeg_has_the_colours_of_the_planes(cartoon: Callable[..., Planes], psnr: Callable[..., float]) -> None:
    planes = cartoon(2, 128, 160)
    for part, rgb in zip(encode(planes, "jpeg").parts, yuv420_to_rgb(planes), strict=True):
        assert part[6:10] == b"JFIF"
        samples = open_picture(part).to_ndarray(format="yuvj420p").astype(np.float64)
        y = samples[:128]
        u, v = (plane.reshape(64, 80).repeat(2, 0).repeat(2, 1) - 128 for plane in np.split(samples[128:].ravel(), 2))
        # JFIF 1.02: BT.601 in full range, whatever the decoder at hand would make of it.
        back = np.stack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], axis=-1)
        assert psnr(np.clip(back, 0, 255), rgb) > 38
        assert abs(np.mean(np.clip(back, 0, 255) - rgb, axis=(0, 1))).max() < 0.5


def test_webp_has_the_colours_of_the_planes(cartoon: Callable[..., Planes], psnr: Callable[..., float]) -> None:
    planes = cartoon(2, 128, 160)
    for part, rgb in zip(encode(planes, "webp").parts, yuv420_to_rgb(planes), strict=True):
        back = open_picture(part).to_ndarray(format="rgb24")
        assert psnr(back, rgb) > 30
        assert abs(np.mean(back.astype(float) - rgb, axis=(0, 1))).max() < 2


@pytest.mark.parametrize("codec", PICTURE_CODECS)
def test_a_picture_depends_on_its_frame_alone(codec: str, cartoon: Callable[..., Planes]) -> None:
    planes = cartoon(4)
    together = encode(planes, codec).parts
    assert together == encode(planes, codec).parts
    assert together[2:3] == encode(planes[2:3], codec, first_frame=2).parts
    assert len(set(together)) == 4
