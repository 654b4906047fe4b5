"""Reference: what `framecast.kernels.temporal_attention.op` must equal; float32 in, float32 arithmetic."""

from torch import Tensor
from torch.nn import functional as F


def temporal_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    frames: int,
    heads: int,
    scale: float | None = None,
    position: Tensor | None = None,
) -> Tensor:
    """softmax(scale · q kᵀ) v over frames (Vaswani et al. 2017), for every pixel and head alone.

    q, k, v [B · frames, P, C]; `position` [3, frames, C] is added to q, k and v. `scale` is
    1 / √(C / heads) if not given. In the dtype of q.
    """
    tables = (None, None, None) if position is None else position.to(q.dtype).unbind()
    query, key, value = (_sequences(x, frames, heads, table) for x, table in zip((q, k, v), tables, strict=True))
    mixed = F.scaled_dot_product_attention(query, key, value, scale=scale)  # [B · P, heads, frames, width]
    batch, pixels = q.shape[0] // frames, q.shape[1]
    return mixed.reshape(batch, pixels, heads, frames, q.shape[2] // heads).permute(0, 3, 1, 2, 4).reshape(q.shape)


def _sequences(x: Tensor, frames: int, heads: int, table: Tensor | None) -> Tensor:
    """[B · frames, P, C] → [B · P, heads, frames, C / heads]."""
    batch, pixels, channels = x.shape[0] // frames, x.shape[1], x.shape[2]
    x = x.reshape(batch, frames, pixels, channels)
    if table is not None:
        x = x + table[None, :, None, :]
    x = x.reshape(batch, frames, pixels, heads, channels // heads).permute(0, 2, 3, 1, 4)
    return x.reshape(batch * pixels, heads, frames, channels // heads)
