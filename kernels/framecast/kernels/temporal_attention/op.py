"""``framecast::temporal_attention``; its backward is the reference's."""

import torch
from torch import Tensor
from torch.library import triton_op, wrap_triton

from framecast.kernels.backward import register_backward
from framecast.kernels.checks import on_its_device, require, require_device, require_float, require_like, require_shape
from framecast.kernels.switches import enabled
from framecast.kernels.temporal_attention import naive
from framecast.kernels.temporal_attention.config import FARTHEST, MAX_FRAMES, MAX_WIDTH, constants, pixels_of, warps
from framecast.kernels.temporal_attention.kernel import attention_kernel


def temporal_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    frames: int,
    heads: int,
    scale: float | None = None,
    position: Tensor | None = None,
) -> Tensor:
    """Attention over the frames of each pixel, with no transpose.

    Args:
        q, k, v: float [B · frames, P, C], C = heads · width; any strides of the first two axes, for example thirds of
            one fused projection.
        frames: length of a sequence, 1 … 32.
        heads: divides C; a head has at most 256 channels.
        scale: of the scores; 1 / √width if not given.
        position: [3, frames, C] in the dtype of q, added to q, k and v. A positional embedding e added before the
            projections W is this table: (W_q e, W_k e, W_v e).

    Returns:
        [B · frames, P, C], dense.

    Raises:
        ValueError: an argument of the wrong shape or dtype, named.
    """
    if scale is None:
        scale = (q.shape[-1] / max(heads, 1)) ** -0.5 if q.shape[-1] else 1.0
    if enabled("temporal_attention"):
        out: Tensor = _temporal_attention(q, k, v, frames, heads, scale, position)
        return out
    _check(q, k, v, frames, heads, position)
    return naive.temporal_attention(q, k, v, frames, heads, scale, position)


@triton_op("framecast::temporal_attention", mutates_args=())
def _temporal_attention(
    q: Tensor, k: Tensor, v: Tensor, frames: int, heads: int, scale: float, position: Tensor | None
) -> Tensor:
    _check(q, k, v, frames, heads, position)
    if q.numel() == 0:
        return _empty(q)
    if q.device.type != "cuda":
        return naive.temporal_attention(q, k, v, frames, heads, scale, position).contiguous()
    return launch(q, k, v, frames, heads, scale, position)


def _temporal_attention_fake(
    q: Tensor, k: Tensor, v: Tensor, frames: int, heads: int, scale: float, position: Tensor | None
) -> Tensor:
    _check(q, k, v, frames, heads, position)
    return _empty(q)


_temporal_attention.register_fake(_temporal_attention_fake)
register_backward(_temporal_attention, naive.temporal_attention)


@on_its_device
def launch(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    frames: int,
    heads: int,
    scale: float,
    position: Tensor | None,
    pixels: int | None = None,
    num_warps: int | None = None,
) -> Tensor:
    """Runs the kernel on checked arguments; `pixels` of a program and its warps are for measuring others."""
    q, k, v = (x if x.stride(2) == 1 and x.stride(1) <= FARTHEST else x.contiguous() for x in (q, k, v))
    out = _empty(q)
    width = q.shape[2] // heads
    pixels = pixels or pixels_of(frames, width, q.itemsize, position=position is not None)
    fixed = constants(frames, heads, width, scale, pixels)
    grid = (heads * -(-q.shape[1] // pixels) * (q.shape[0] // frames),)
    wrap_triton(attention_kernel)[grid](
        q,
        k,
        v,
        None if position is None else position.contiguous(),
        q.shape[1],
        q.stride(0),
        q.stride(1),
        k.stride(0),
        k.stride(1),
        v.stride(0),
        v.stride(1),
        out,
        **fixed,
        num_warps=num_warps or warps(frames, width),
        num_stages=2,
    )
    return out


def _empty(q: Tensor) -> Tensor:
    return torch.empty(q.shape, dtype=q.dtype, device=q.device)


def _check(q: Tensor, k: Tensor, v: Tensor, frames: int, heads: int, position: Tensor | None) -> None:
    require(q.dim() == 3, f"q: shape {tuple(q.shape)} is not [batch · frames, pixels, channels].")
    require_float("q", q)
    require_like("k", k, "q", q)
    require_like("v", v, "q", q)
    require(1 <= frames <= MAX_FRAMES, f"frames: {frames} is not in 1 … {MAX_FRAMES}; attend to fewer at once.")
    require(q.shape[0] % frames == 0, f"frames: {frames} does not divide the first axis of q, {q.shape[0]}.")
    require(heads >= 1 and q.shape[2] % heads == 0, f"heads: {heads} does not divide {q.shape[2]} channels.")
    require(
        q.shape[2] // heads <= MAX_WIDTH,
        f"heads: a head of {q.shape[2] // heads} channels is wider than {MAX_WIDTH}.",
    )
    if position is not None:
        require_shape("position", position, (3, frames, q.shape[2]))
        require_device("q", q, position=position)
        require(position.dtype == q.dtype, f"position: {position.dtype} is not {q.dtype}, the dtype of q.")
