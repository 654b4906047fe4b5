"""``framecast::group_norm_silu_fp8``: GroupNorm and SiLU for a convolution in e4m3; inference only, no backward."""

import torch
from torch import Tensor
from torch.library import triton_op

from framecast.kernels.fp8.naive import FP8, quantise
from framecast.kernels.group_norm_silu import naive
from framecast.kernels.group_norm_silu.op import check, launch
from framecast.kernels.layout import channels_last, image_of


def group_norm_silu_fp8(
    x: Tensor, shift: Tensor | None, weight: Tensor, bias: Tensor, groups: int, eps: float = 1e-5
) -> Tensor:
    """SiLU(GroupNorm(x + shift)) in e4m3, with no scale.

    What a norm gives is of the order of one, and e4m3 is a float: from 2⁻⁶ to 448 it has three bits after the first
    wherever the value is, so that a scale would gain nothing and a search for the largest value would cost a pass.

    Args:
        x: float [N, C, …], any strides, see `group_norm_silu`.
        shift: added first, see `shift_group_norm_silu`; None for nothing.
        weight, bias: float [C].
        groups: of channels; divides C.
        eps: added to the variance.

    Returns:
        e4m3 [N, C, …] in channels-last memory; beyond ±448 it saturates.

    Raises:
        ValueError: an argument of the wrong shape or dtype, named.
    """
    out: Tensor = _group_norm_silu_fp8(x, shift, weight, bias, groups, eps)
    return out


@triton_op("framecast::group_norm_silu_fp8", mutates_args=())
def _group_norm_silu_fp8(
    x: Tensor, shift: Tensor | None, weight: Tensor, bias: Tensor, groups: int, eps: float
) -> Tensor:
    check(x, weight, bias, groups, shift, "shift")
    if x.numel() == 0:
        return _empty(x)
    if x.device.type != "cuda":
        total = x if shift is None else x + shift
        return channels_last(quantise(naive.group_norm_silu(total, weight, bias, groups, eps)))
    return launch(x, shift, weight, bias, groups, eps, True, dtype=FP8, keep=False)[0]


def _fake(x: Tensor, shift: Tensor | None, weight: Tensor, bias: Tensor, groups: int, eps: float) -> Tensor:
    check(x, weight, bias, groups, shift, "shift")
    return _empty(x)


_group_norm_silu_fp8.register_fake(_fake)


def _empty(x: Tensor) -> Tensor:
    pixels = x.numel() // max(1, x.shape[0] * x.shape[1])
    return image_of(torch.empty((x.shape[0], pixels, x.shape[1]), dtype=FP8, device=x.device), x)
