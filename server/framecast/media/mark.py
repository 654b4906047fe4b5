"""A visible mark in the corner of every picture: that a machine made it, say, or whose it is."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from framecast.errors import InvalidRepository
from framecast.media.colour import rgb_to_yuv420
from framecast.media.planes import SMALLEST_SIDE, Planes

HEIGHT = 1 / 12
"""Of the picture's shorter side; the explicit label of GB 45438-2025 wants a twentieth."""
WIDEST = 1 / 2
"""Of the picture's width."""
MARGIN = 1 / 32
"""Of the picture's shorter side, to the right and below."""


@dataclass(frozen=True)
class Mark:
    """An image with transparency, drawn at the lower right in the same share of any picture.

    Attributes:
        file: PNG, or whatever else Pillow reads.

    Raises:
        InvalidRepository: it is missing, or no image.
    """

    file: Path

    def __post_init__(self) -> None:
        try:
            self._image()
        except (OSError, ValueError) as error:
            raise InvalidRepository(f"The mark {self.file} is no image that can be drawn: {_reason(error)}.") from error

    def on(self, planes: Planes) -> Planes:
        """The pictures with the mark; `planes` stays as it is."""
        mark, alpha = _fitted(self, planes.width, planes.height)
        margin = 2 * max(1, round(min(planes.width, planes.height) * MARGIN / 2))
        marked = Planes(planes.y.copy(), planes.u.copy(), planes.v.copy())
        for plane, drawn, scale in ((marked.y, mark.y, 1), (marked.u, mark.u, 2), (marked.v, mark.v, 2)):
            height, width = drawn.shape[1:]
            part = plane[
                :, -(height + margin // scale) : -(margin // scale), -(width + margin // scale) : -(margin // scale)
            ]
            share = alpha if scale == 1 else alpha.reshape(height, 2, width, 2).mean(axis=(1, 3))
            part[:] = np.rint(part * (1 - share) + drawn[0] * share).astype(np.uint8)
        return marked

    def _image(self) -> Image.Image:
        with Image.open(self.file) as opened:
            return opened.convert("RGBA")


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


@lru_cache(maxsize=16)
def _fitted(mark: Mark, width: int, height: int) -> tuple[Planes, NDArray[np.float64]]:
    """The mark at its size in pictures of `width` × `height`, even, and how opaque it is, 0..1."""
    image = mark._image()
    tall = max(SMALLEST_SIDE, min(width, height) * HEIGHT)
    scale = min(tall / image.height, width * WIDEST / image.width)
    size = [
        min(side // 2 * 2, max(SMALLEST_SIDE, 2 * round(length * scale / 2)))
        for side, length in ((width - 4, image.width), (height - 4, image.height))
    ]
    pixels = np.asarray(image.resize((size[0], size[1]), Image.Resampling.LANCZOS))
    return rgb_to_yuv420(pixels[None, ..., :3].copy()), pixels[..., 3] / 255
