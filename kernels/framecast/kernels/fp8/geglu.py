"""``framecast::geglu_fp8``: GEGLU and the scale of each of its rows, for a product in e4m3; no backward."""

import math

import torch
from torch import Tensor
from torch.library import triton_op, wrap_triton

from framecast.kernels.checks import on_its_device, require, require_float
from framecast.kernels.fp8 import naive
from framecast.kernels.fp8.config import geglu_constants, geglu_warps
from framecast.kernels.fp8.kernel import geglu_fp8_kernel
from framecast.kernels.fp8.naive import FP8


def geglu_fp8(x: Tensor) -> tuple[Tensor, Tensor]:
    """hidden · GELU(gate), exact GELU, of a projection x = (hidden, gate), in e4m3 with a scale for each row.

    Left to a compiler, the largest value of a row and the row itself are two passes, each with the error function.

    Args:
        x: float [..., 2c], any strides (copied unless its rows are dense and evenly spaced).

    Returns:
        e4m3 [..., c] and float32 [..., 1]; the result is their product.

    Raises:
        ValueError: x has an odd last axis or the wrong dtype.
    """
    out: tuple[Tensor, Tensor] = _geglu_fp8(x)
    return out


@triton_op("framecast::geglu_fp8", mutates_args=())
def _geglu_fp8(x: Tensor) -> tuple[Tensor, Tensor]:
    _check(x)
    if x.device.type != "cuda" or x.numel() == 0:
        values, scale = naive.geglu_fp8(x)
        return values.contiguous(), scale.contiguous()
    return launch(x)


def _fake(x: Tensor) -> tuple[Tensor, Tensor]:
    _check(x)
    return _empty(x)


_geglu_fp8.register_fake(_fake)


@on_its_device
def launch(x: Tensor) -> tuple[Tensor, Tensor]:
    """Runs the kernel on a checked argument."""
    width = x.shape[-1] // 2
    rows = x.reshape(math.prod(x.shape[:-1]), 2 * width)
    if rows.stride(1) != 1:
        rows = rows.contiguous()
    out, scale = _empty(x)
    wrap_triton(geglu_fp8_kernel)[(rows.shape[0],)](
        rows, rows.stride(0), out, scale, **geglu_constants(width), num_warps=geglu_warps(width)
    )
    return out, scale


def _empty(x: Tensor) -> tuple[Tensor, Tensor]:
    leading, width = x.shape[:-1], x.shape[-1] // 2
    out = torch.empty((*leading, width), dtype=FP8, device=x.device)
    return out, torch.empty((*leading, 1), dtype=torch.float32, device=x.device)


def _check(x: Tensor) -> None:
    require(x.dim() >= 1 and x.shape[-1] % 2 == 0, f"x: shape {tuple(x.shape)} is not [..., 2c].")
    require_float("x", x)
