"""Reference: what `framecast.kernels.yuv420.op` must equal; the arithmetic of `DecodeYuv` in framecast.export."""

import torch
from torch import Tensor
from torch.nn import functional as F

from framecast.kernels.yuv420.config import MATRIX, OFFSET


def planes(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Planes before rounding, in the dtype of x: y [N, H, W]; u, v [N, H/2, W/2]."""
    if x.numel() == 0:
        half = (x.shape[0], x.shape[2] // 2, x.shape[3] // 2)
        return x[:, 0], x.new_empty(half), x.new_empty(half)
    rgb = (x / 2 + 0.5).clamp(0, 1)
    matrix = torch.tensor(MATRIX, dtype=x.dtype, device=x.device).reshape(3, 3, 1, 1)
    offset = torch.tensor(OFFSET, dtype=x.dtype, device=x.device).reshape(1, 3, 1, 1)
    yuv = F.conv2d(rgb, matrix) + offset
    chroma = F.avg_pool2d(yuv[:, 1:], 2)
    return yuv[:, 0], chroma[:, 0], chroma[:, 1]


def yuv420(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """x [N, 3, H, W] in −1 … 1 → uint8 y [N, H, W], u and v [N, H/2, W/2] (ITU-R BT.709-6, limited range)."""
    y, u, v = (plane.round().to(torch.uint8) for plane in planes(x))
    return y, u, v
