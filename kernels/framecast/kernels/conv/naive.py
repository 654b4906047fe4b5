"""References: what `framecast.kernels.conv` must equal."""

import torch
from torch import Tensor
from torch.nn import functional as F


def conv_fp8(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """scale · (x ∗ weight) + bias in float32, rounded to the dtype of the bias.

    Args:
        x: e4m3 [N, C, H, W].
        weight: e4m3 [O, 9 · c], taps outermost, c ≥ C; what is beyond C is not read.
        scale: float32 [O].
        bias: float [O].
    """
    taps = weight.float().reshape(weight.shape[0], 3, 3, -1)[..., : x.shape[1]].permute(0, 3, 1, 2)
    out = F.conv2d(x.float(), taps, padding=1) * scale[:, None, None] + bias.float()[:, None, None]
    return out.to(bias.dtype)


def upsample_conv(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The convolution [O, C, 3, 3] of x [N, C, H, W] enlarged twice along each axis, each pixel four times."""
    return F.conv2d(F.interpolate(x, scale_factor=2.0, mode="nearest"), weight, bias, padding=1)


def quantise(values: Tensor) -> Tensor:
    """To e4m3, by saturation beyond ±448: torch's own cast makes NaN of what is larger."""
    largest = torch.finfo(torch.float8_e4m3fn).max
    return values.float().clamp(-largest, largest).to(torch.float8_e4m3fn)
