"""``framecast::yuv420``; inference only, no backward."""

import torch
from torch import Tensor
from torch.library import triton_op, wrap_triton

from framecast.kernels.checks import on_its_device, require, require_float, require_samples
from framecast.kernels.switches import enabled
from framecast.kernels.yuv420 import naive
from framecast.kernels.yuv420.config import (
    BLOCK_HEIGHT,
    BLOCK_OF_PIXELS,
    BLOCK_WIDTH,
    WARPS_OF_PIXELS,
    constants,
    warps,
)
from framecast.kernels.yuv420.kernel import yuv420_kernel


def yuv420(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Decoded frames to planes: denormalise, clamp, BT.709 limited range, chroma averaged over 2 × 2 pixels.

    Args:
        x: float [N, 3, H, W] in −1 … 1 (values outside are clamped), any strides; H and W even.

    Returns:
        uint8 y [N, H, W]; u, v [N, H/2, W/2]; dense.

    Raises:
        ValueError: x has another shape or dtype.
    """
    if enabled("yuv420"):
        out: tuple[Tensor, Tensor, Tensor] = _yuv420(x)
        return out
    _check(x)
    return naive.yuv420(x)


@triton_op("framecast::yuv420", mutates_args=())
def _yuv420(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    _check(x)
    if x.numel() == 0:
        return _planes(x)
    if x.device.type != "cuda":
        y, u, v = naive.yuv420(x)
        return y.contiguous(), u.contiguous(), v.contiguous()
    return launch(x)


def _yuv420_fake(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    _check(x)
    return _planes(x)


_yuv420.register_fake(_yuv420_fake)

_FARTHEST = (1 << 30) - 1  # elements between channels: the kernel doubles them in 32 bits


@on_its_device
def launch(
    x: Tensor, block: tuple[int, int] | None = None, num_warps: int | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Runs the kernel on a checked argument; other tiles (height, width) and warps are for measuring."""
    samples, _, height, width = x.shape
    require_samples("x", samples)
    if x.stride(1) > _FARTHEST:
        x = x.contiguous()
    planar = x.stride(1) != 1
    block = block or ((BLOCK_HEIGHT, BLOCK_WIDTH) if planar else BLOCK_OF_PIXELS)
    y, u, v = _planes(x)
    grid = (-(-width // block[1]), -(-height // block[0]), samples)
    wrap_triton(yuv420_kernel)[grid](
        x,
        height,
        width,
        x.stride(0),
        x.stride(1),
        x.stride(2),
        x.stride(3),
        y,
        u,
        v,
        **constants(*block),
        num_warps=num_warps or (warps(x.element_size()) if planar else WARPS_OF_PIXELS),
    )
    return y, u, v


def _planes(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    samples, _, height, width = x.shape
    y = torch.empty((samples, height, width), dtype=torch.uint8, device=x.device)
    u = torch.empty((samples, height // 2, width // 2), dtype=torch.uint8, device=x.device)
    v = torch.empty((samples, height // 2, width // 2), dtype=torch.uint8, device=x.device)
    return y, u, v


def _check(x: Tensor) -> None:
    require(x.dim() == 4 and x.shape[1] == 3, f"x: shape {tuple(x.shape)} is not [N, 3, H, W].")
    require(
        x.shape[2] % 2 == 0 and x.shape[3] % 2 == 0,
        f"x: {x.shape[2]} × {x.shape[3]} pixels are not even; crop or pad them.",
    )
    require_float("x", x)
