"""A visible mark in the corner of every picture: that a machine made it, say, or whose it is."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from framecast.errors import InvalidRepository
from framecast.media.colour import rgb_to_yuv420
from framecast.media.planes import SMALLEST_SIDE, Planes

Shares = NDArray[np.float64]

HEIGHT = 1 / 12
"""Of the picture's shorter side; the explicit label of GB 45438-2025 wants a twentieth."""
WIDEST = 1 / 2
"""Of the picture's width."""
MARGIN = 1 / 32
"""Of the picture's shorter side, to the right and below."""


_SMALLEST = 2 * SMALLEST_SIDE  # pixels of a side that has room for a mark
_SIZES = 16  # of pictures whose mark is kept


class Mark:
    """An image with transparency, drawn at the lower right in the same share of any picture.

    Args:
        file: PNG, or whatever else Pillow reads; it is read once.

    Raises:
        InvalidRepository: it is missing, or no image.
    """

    def __init__(self, file: Path) -> None:
        try:
            with Image.open(file) as opened:
                self._image = opened.convert("RGBA")
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or error
            raise InvalidRepository(f"The mark {file} is no image that can be drawn: {reason}.") from error
        self._fitted: dict[tuple[int, int], tuple[Planes, Shares]] = {}

    def on(self, planes: Planes) -> Planes:
        """The pictures with the mark, but for those that are too small to show it; `planes` stays as it is."""
        side = min(planes.width, planes.height)
        if side < _SMALLEST:
            return planes
        mark, opaque = self._for(planes.width, planes.height)
        marked = Planes(planes.y.copy(), planes.u.copy(), planes.v.copy())
        margin = max(1, round(side * MARGIN / 2))  # samples of chroma
        for plane, drawn, scale in ((marked.y, mark.y, 2), (marked.u, mark.u, 1), (marked.v, mark.v, 1)):
            height, width = drawn.shape[1:]
            bottom, right = plane.shape[1] - scale * margin, plane.shape[2] - scale * margin
            part = plane[:, bottom - height : bottom, right - width : right]
            share = opaque if scale == 2 else opaque.reshape(height, 2, width, 2).mean(axis=(1, 3))
            part[:] = np.rint(part * (1 - share) + drawn[0] * share).astype(np.uint8)
        return marked

    def _for(self, width: int, height: int) -> tuple[Planes, Shares]:
        """The mark at its size in pictures of `width` × `height`, and how opaque it is, 0..1."""
        if (width, height) not in self._fitted:
            if len(self._fitted) >= _SIZES:
                self._fitted.clear()
            own = self._image
            scale = min(max(SMALLEST_SIDE, min(width, height) * HEIGHT) / own.height, width * WIDEST / own.width)
            wide, tall = (max(SMALLEST_SIDE, 2 * round(length * scale / 2)) for length in own.size)
            pixels = np.asarray(own.resize((wide, tall), Image.Resampling.LANCZOS))
            self._fitted[width, height] = rgb_to_yuv420(pixels[None, ..., :3].copy()), pixels[..., 3] / 255
        return self._fitted[width, height]
