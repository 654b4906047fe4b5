"""RGB ↔ YUV 4:2:0 in ITU-R BT.709, limited range: the reference for the VAE's graph, and the way to image files.

With R, G, B in 0..1 (BT.709, items 3.2–3.5; BT.601, 2.5 and 3.5):

    Y = Kr R + Kg G + Kb B           BT.709: Kr = 0.2126, Kb = 0.0722
    Cb = (B − Y) / (2 − 2 Kb)        BT.601: Kr = 0.299, Kb = 0.114
    Cr = (R − Y) / (2 − 2 Kr)        Kg = 1 − Kr − Kb

In 8 bits, limited range is y = 16 + 219 Y, u = 128 + 224 Cb, v = 128 + 224 Cr; full range has 0, 255, 255, 255 instead.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from framecast.media.errors import InvalidPlanes
from framecast.media.planes import Planes


def _matrix(red: float, blue: float, luma: float, chroma: float) -> NDArray[np.float64]:
    """R, G, B in 0..255 → y, u, v without their offsets: float64 [3, 3]; `luma` and `chroma` are the excursions."""
    green = 1 - red - blue
    y = np.array([red, green, blue])
    u = (np.array([0, 0, 1]) - y) / (2 - 2 * blue)
    v = (np.array([1, 0, 0]) - y) / (2 - 2 * red)
    matrix: NDArray[np.float64] = np.stack([luma * y, chroma * u, chroma * v]) / 255
    return matrix


RGB_TO_YUV = _matrix(0.2126, 0.0722, luma=219, chroma=224)
YUV_TO_RGB = np.linalg.inv(RGB_TO_YUV)
RGB_TO_BT601 = _matrix(0.299, 0.114, luma=219, chroma=224)
RGB_TO_BT601_FULL = _matrix(0.299, 0.114, luma=255, chroma=255)
OFFSET = np.array([16.0, 128.0, 128.0])


def rgb_to_yuv420(rgb: NDArray[np.uint8]) -> Planes:
    """Converts pictures; chroma is the mean of each 2×2 block, taken before rounding.

    Args:
        rgb: uint8 [F, H, W, 3]; H and W even, at least 16.

    Raises:
        InvalidPlanes: `rgb` does not fit this description.
    """
    if not isinstance(rgb, np.ndarray) or rgb.dtype != np.uint8 or rgb.ndim != 4 or rgb.shape[-1] != 3:
        raise InvalidPlanes("RGB pictures must be uint8 [frames, height, width, 3].")
    frames, height, width, _ = rgb.shape
    if height % 2 or width % 2:
        raise InvalidPlanes(f"The height and the width must be even, not {height} and {width}.")
    yuv = rgb @ RGB_TO_YUV.T + OFFSET  # [F, H, W, 3] float64
    chroma = yuv[..., 1:].reshape(frames, height // 2, 2, width // 2, 2, 2).mean(axis=(2, 4))  # [F, H/2, W/2, 2]
    return Planes(y=_to_bytes(yuv[..., 0]), u=_to_bytes(chroma[..., 0]), v=_to_bytes(chroma[..., 1]))


def yuv420_to_rgb(planes: Planes) -> NDArray[np.uint8]:
    """Converts pictures back; each chroma sample colours its 2×2 block.

    Returns:
        uint8 [F, H, W, 3]; colours outside the RGB cube are clipped to it.
    """
    u, v = planes.u.astype(np.float32) - np.float32(128), planes.v.astype(np.float32) - np.float32(128)  # [F, H/2, W/2]
    matrix = YUV_TO_RGB.astype(np.float32)
    luma = (planes.y.astype(np.float32) - np.float32(16)) * matrix[0, 0]  # [F, H, W]; the same for R, G and B
    rgb = np.empty((*planes.y.shape, 3), np.uint8)
    for channel in range(3):
        tint = u * matrix[channel, 1] + v * matrix[channel, 2]
        rgb[..., channel] = _to_bytes(luma + tint.repeat(2, axis=1).repeat(2, axis=2))
    return rgb


def yuv420_to_bt601(planes: Planes, *, full_range: bool) -> NDArray[np.uint8]:
    """The same pictures in the YUV 4:2:0 of image files: ITU-R BT.601, for WebP limited, for JPEG (JFIF 1.02) full.

    Grey is grey in both standards, so the new chroma depends on the old alone and nothing is resampled.

    Returns:
        uint8 [F, H * 3/2, W], each frame laid out as by `Planes.packed`.
    """
    matrix = ((RGB_TO_BT601_FULL if full_range else RGB_TO_BT601) @ YUV_TO_RGB).astype(np.float32)
    black = np.float32(0 if full_range else 16)
    u, v = planes.u.astype(np.float32) - np.float32(128), planes.v.astype(np.float32) - np.float32(128)  # [F, H/2, W/2]
    tint = u * matrix[0, 1] + v * matrix[0, 2]
    luma = black + (planes.y.astype(np.float32) - np.float32(16)) * matrix[0, 0]  # [F, H, W]
    samples = (
        luma + tint.repeat(2, axis=1).repeat(2, axis=2),
        128 + u * matrix[1, 1] + v * matrix[1, 2],
        128 + u * matrix[2, 1] + v * matrix[2, 2],
    )
    packed: NDArray[np.uint8] = np.concatenate([_to_bytes(plane).reshape(len(planes), -1) for plane in samples], axis=1)
    return packed.reshape(len(planes), -1, planes.width)


def _to_bytes(levels: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    rounded: NDArray[np.uint8] = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return rounded
