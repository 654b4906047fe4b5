"""Pictures to encode and the way back: FFmpeg's own decoders, through PyAV."""

import io
from collections.abc import Callable, Sequence

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from framecast.media.colour import rgb_to_yuv420
from framecast.media.encoder import encode_chunk
from framecast.media.planes import Planes

Samples = NDArray[np.uint8] | NDArray[np.float64]


@pytest.fixture(scope="session")
def cartoon() -> Callable[..., Planes]:
    """`cartoon(frames, height, width)`: a ball with an outline that crosses a landscape; no two frames are alike."""

    def draw(frames: int, height: int = 64, width: int = 96) -> Planes:
        rows, columns = np.mgrid[:height, :width]
        rgb = np.empty((frames, height, width, 3), np.uint8)
        for index in range(frames):
            picture = np.stack([90 + rows * 0.5, 140 + rows * 0.4, 230 - rows * 0.6], axis=-1)
            picture[rows > height * 0.7 + 4 * np.sin(columns / 12)] = (70, 150, 60)
            distance = np.hypot(columns - (width * 0.1 + 2.0 * index), rows - height * 0.5)
            picture[distance < height * 0.25] = (220, 60, 50)
            picture[abs(distance - height * 0.25) < 1.5] = (20, 20, 20)
            rgb[index] = np.clip(picture, 0, 255)
        return rgb_to_yuv420(rgb)

    return draw


@pytest.fixture(scope="session")
def encode_video() -> Callable[..., list[bytes]]:
    """`encode_video(planes, sizes, codec, fps)`: the chunks of a video, the first with header."""

    def encode(planes: Planes, sizes: Sequence[int], codec: str, fps: int = 24) -> list[bytes]:
        parts: list[bytes] = []
        first = 0
        for index, size in enumerate(sizes):
            chunk = encode_chunk(
                planes[first : first + size],
                codec=codec,
                fps=fps,
                first_frame=first,
                sequence=index + 1,
                include_header=index == 0,
            )
            parts += chunk.parts
            first += size
        return parts

    return encode


@pytest.fixture(scope="session")
def decode() -> Callable[[bytes], list[av.VideoFrame]]:
    """`decode(movie)`: its frames."""

    def read(movie: bytes) -> list[av.VideoFrame]:
        with av.open(io.BytesIO(movie), "r") as container:
            return list(container.decode(video=0))

    return read


@pytest.fixture(scope="session")
def psnr() -> Callable[[Samples, Samples], float]:
    """`psnr(a, b)`: in decibels, of 8-bit samples."""

    def measure(a: Samples, b: Samples) -> float:
        error = np.mean((a.astype(np.float64) - b) ** 2)
        return float(10 * np.log10(255**2 / max(error, 1e-9)))

    return measure
