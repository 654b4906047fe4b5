"""``framecast::geglu``; its backward is the reference's."""

import math

import torch
from torch import Tensor
from torch.library import triton_op, wrap_triton

from framecast.kernels.backward import register_backward
from framecast.kernels.checks import on_its_device, require, require_float
from framecast.kernels.geglu import naive
from framecast.kernels.geglu.config import constants
from framecast.kernels.geglu.kernel import geglu_kernel
from framecast.kernels.switches import enabled


def geglu(x: Tensor) -> Tensor:
    """hidden · GELU(gate), exact GELU, of a projection x = (hidden, gate).

    Args:
        x: float [..., 2c], any strides (copied unless its rows are dense and evenly spaced).

    Returns:
        [..., c], dense, in the dtype of x.

    Raises:
        ValueError: x has an odd last axis or the wrong dtype.
    """
    if enabled("geglu"):
        out: Tensor = _geglu(x)
        return out
    _check(x)
    return naive.geglu(x)


@triton_op("framecast::geglu", mutates_args=())
def _geglu(x: Tensor) -> Tensor:
    _check(x)
    if x.device.type != "cuda" or x.numel() == 0:
        return naive.geglu(x).contiguous()
    return launch(x)


def _geglu_fake(x: Tensor) -> Tensor:
    _check(x)
    return _empty(x)


_geglu.register_fake(_geglu_fake)
register_backward(_geglu, naive.geglu)


@on_its_device
def launch(x: Tensor) -> Tensor:
    """Runs the kernel on a checked argument."""
    width = x.shape[-1] // 2
    rows = x.reshape(math.prod(x.shape[:-1]), 2 * width)
    if rows.stride(1) != 1:
        rows = rows.contiguous()
    out = _empty(x)
    chosen = constants(width)
    grid = (-(-rows.shape[0] // chosen["BLOCK_ROWS"]), -(-width // chosen["BLOCK_WIDTH"]))
    wrap_triton(geglu_kernel)[grid](rows, rows.shape[0], rows.stride(0), out, **chosen, num_warps=4)
    return out


def _empty(x: Tensor) -> Tensor:
    return torch.empty((*x.shape[:-1], x.shape[-1] // 2), dtype=x.dtype, device=x.device)


def _check(x: Tensor) -> None:
    require(x.dim() >= 1 and x.shape[-1] % 2 == 0, f"x: shape {tuple(x.shape)} is not [..., 2c].")
    require_float("x", x)
