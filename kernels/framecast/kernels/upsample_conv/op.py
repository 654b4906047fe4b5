"""``framecast::upsample_conv``: the convolution of an enlarged picture, without the enlarged picture.

Where every pixel stands four times, the nine taps of an output read four pixels only. Which four, and which taps fall
together, depends on whether its line and column are even or odd: four convolutions of 2 × 2 whose weights are sums of
the nine, each for a quarter of the outputs. Four ninths of the arithmetic, and the picture is neither written nor read.
Its backward is torch's.
"""

import torch
from torch import Tensor
from torch.library import custom_op
from torch.nn import functional as F

from framecast.kernels.backward import register_backward
from framecast.kernels.checks import require, require_device, require_float, require_shape
from framecast.kernels.layout import channels_last
from framecast.kernels.switches import enabled
from framecast.kernels.upsample_conv.config import padded
from framecast.kernels.upsample_conv.launch import empty, has_copy_engine, launch

_SUMS = (((1, 0, 0), (0, 1, 1)), ((1, 1, 0), (0, 0, 1)))  # of an even and an odd output: which of 3 taps fall together
PLACES = tuple((y, x) for y in (0, 1) for x in (0, 1))  # line and column of the first output of each quarter


def pack(weight: Tensor) -> Tensor:
    """A convolution's weight [O, C, 3, 3] as `upsample_conv` takes it: [4, O, 4 · c], summed in float32.

    C is filled up with zeros to c, a multiple of the kernel's step; the first axis is (even, odd) line × column.
    """
    require(weight.dim() == 4 and weight.shape[2:] == (3, 3), f"weight: {tuple(weight.shape)} is not [O, C, 3, 3].")
    out, channels = weight.shape[:2]
    sums = torch.tensor(_SUMS, dtype=torch.float32, device=weight.device)
    taps = torch.einsum("oclm,yal,xbm->yxoabc", weight.float(), sums, sums).reshape(4, out, 4, channels)
    return F.pad(taps, (0, padded(channels) - channels)).reshape(4, out, -1).to(weight.dtype)


def upsample_conv(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Convolution of 3 × 3 of x enlarged twice along each axis by repeating pixels, borders of zeros.

    Args:
        x: float [N, C, H, W]; channels-last memory is read in place, other layouts are copied to it first.
        weight: of `pack`, in the dtype of x.
        bias: [O] in the dtype of x.

    Returns:
        [N, O, 2 · H, 2 · W] in the dtype of x and channels-last memory.

    Raises:
        ValueError: an argument of the wrong shape or dtype, named.
    """
    if enabled("upsample_conv"):
        out: Tensor = _upsample_conv(x, weight, bias)
        return out
    _check(x, weight, bias)
    return _plain(x, weight, bias)


@custom_op("framecast::upsample_conv", mutates_args=())
def _upsample_conv(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    _check(x, weight, bias)
    half = x.element_size() == 2 and not (x.shape[1] | bias.shape[0]) % 8  # 16 bytes; no tensor core takes float32
    if not (half and has_copy_engine(x.device)) or x.numel() == 0:
        return _plain(x, weight, bias)
    out = empty(x, bias.shape[0], x.dtype, enlarged=2)
    x = channels_last(x)
    for part, (line, column) in zip(weight, PLACES, strict=True):
        launch(x, part, None, bias, out[:, :, line::2, column::2], 2, (line - 1, column - 1))
    return out


def _plain(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The same four convolutions by torch."""
    out = empty(x, bias.shape[0], x.dtype, enlarged=2)
    if x.numel() == 0:
        return out
    for part, (line, column) in zip(weight, PLACES, strict=True):
        taps = part.reshape(part.shape[0], 2, 2, -1)[..., : x.shape[1]].permute(0, 3, 1, 2)
        padded_x = F.pad(x, (1 - column, column, 1 - line, line))
        out[:, :, line::2, column::2] = F.conv2d(padded_x, taps, bias)
    return out


def _upsample_conv_fake(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    _check(x, weight, bias)
    return empty(x, bias.shape[0], x.dtype, enlarged=2)


_upsample_conv.register_fake(_upsample_conv_fake)
register_backward(_upsample_conv, _plain)


def _check(x: Tensor, weight: Tensor, bias: Tensor) -> None:
    require(x.dim() == 4, f"x: shape {tuple(x.shape)} is not [N, C, H, W].")
    require_float("x", x)
    require(bias.dim() == 1, f"bias: shape {tuple(bias.shape)} is not [O].")
    require_shape("weight", weight, (4, bias.shape[0], 4 * padded(x.shape[1])))
    require_device("x", x, weight=weight, bias=bias)
    require(weight.dtype == x.dtype, f"weight: {weight.dtype} is not {x.dtype}, the dtype of x.")
    require(bias.dtype == x.dtype, f"bias: {bias.dtype} is not {x.dtype}, the dtype of x.")
