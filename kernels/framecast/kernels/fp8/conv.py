"""``framecast::conv_fp8``; inference only, no backward."""

import torch
from torch import Tensor
from torch.library import custom_op

from framecast.kernels.checks import require, require_device, require_float, require_shape
from framecast.kernels.fp8 import naive
from framecast.kernels.fp8.naive import FP8, LARGEST
from framecast.kernels.layout import channels_last
from framecast.kernels.upsample_conv.config import padded
from framecast.kernels.upsample_conv.launch import empty, has_copy_engine, launch


def pack(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A convolution's weight [O, C, 3, 3] as `conv_fp8` takes it: e4m3 [O, 9 · c] and the scale float32 [O].

    Each output channel has the scale that takes its largest weight to the largest value of e4m3. C is filled up with
    zeros to c, a multiple of the kernel's step.
    """
    require(weight.dim() == 4 and weight.shape[2:] == (3, 3), f"weight: {tuple(weight.shape)} is not [O, C, 3, 3].")
    out, channels = weight.shape[:2]
    scale = weight.float().abs().amax((1, 2, 3)).clamp(min=1e-12) / LARGEST
    taps = naive.quantise(weight.float() / scale[:, None, None, None]).permute(0, 2, 3, 1)
    packed = torch.zeros(out, 9, padded(channels), dtype=torch.uint8, device=weight.device)
    packed[:, :, :channels] = taps.reshape(out, 9, channels).view(torch.uint8)
    return packed.reshape(out, -1).view(FP8), scale


def conv_fp8(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Convolution of 3 × 3, stride 1, borders of zeros, in e4m3 with sums in float32.

    Args:
        x: e4m3 [N, C, H, W]; channels-last memory is read in place, other layouts are copied to it first.
        weight, scale: of `pack`.
        bias: float [O]; the result has its dtype.

    Returns:
        [N, O, H, W] in channels-last memory.

    Raises:
        ValueError: an argument of the wrong shape or dtype, named.
    """
    out: Tensor = _conv_fp8(x, weight, scale, bias)
    return out


@custom_op("framecast::conv_fp8", mutates_args=())
def _conv_fp8(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    _check(x, weight, scale, bias)
    out = empty(x, bias.shape[0], bias.dtype)
    if x.numel() == 0:
        return out
    if not has_copy_engine(x.device) or bias.element_size() != 2:
        return channels_last(naive.conv_fp8(x, weight, scale, bias))
    launch(channels_last(x), weight, scale, bias, out, 3, (-1, -1))
    return out


def _conv_fp8_fake(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    _check(x, weight, scale, bias)
    return empty(x, bias.shape[0], bias.dtype)


_conv_fp8.register_fake(_conv_fp8_fake)


def _check(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor) -> None:
    require(x.dim() == 4, f"x: shape {tuple(x.shape)} is not [N, C, H, W].")
    require(x.dtype == FP8, f"x: {x.dtype} is not {FP8}.")
    require(x.shape[1] % 16 == 0, f"x: {x.shape[1]} channels are no multiple of 16.")
    require_float("bias", bias)
    require_device("x", x, weight=weight, scale=scale, bias=bias)
    require(bias.dim() == 1 and bias.shape[0] % 16 == 0, f"bias: shape {tuple(bias.shape)} is no multiple of 16.")
    require_shape("weight", weight, (bias.shape[0], 9 * padded(x.shape[1])))
    require(weight.dtype == FP8, f"weight: {weight.dtype} is not {FP8}.")
    require_shape("scale", scale, (bias.shape[0],))
