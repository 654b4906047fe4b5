"""Temporal attention kernel against plain torch."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from framecast.kernels.temporal_attention.config import FARTHEST
from framecast.kernels.temporal_attention.naive import temporal_attention
from framecast.kernels.temporal_attention.op import launch

# (batch, frames, pixels, heads, width)
SHAPES = ((2, 7, 3, 3, 40), (1, 16, 5, 2, 80), (1, 1, 1, 1, 1), (3, 32, 1, 1, 5), (1, 8, 6, 1, 160), (2, 17, 2, 5, 16))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("positioned", [False, True], ids=["plain", "position"])
def test_equals_torch(
    shape: tuple[int, ...],
    positioned: bool,
    dtype: torch.dtype,
    check: Callable[..., None],
    exact: Callable[[Any], Any],
) -> None:
    batch, frames, pixels, heads, width = shape
    channels = heads * width
    q, k, v = torch.randn(batch * frames, pixels, 3 * channels).to(dtype).chunk(3, dim=-1)  # strided thirds
    if positioned:
        k = k.transpose(0, 1).contiguous().transpose(0, 1)  # pixels outside, frames inside
        v = v.transpose(1, 2).contiguous().transpose(1, 2)  # channels apart: copied
    position = torch.randn(3, frames, channels).to(dtype) if positioned else None
    scale = 1.3 * width**-0.5
    kernel = launch(q, k, v, frames, heads, scale, position)
    plain = temporal_attention(q, k, v, frames, heads, scale, position)
    reference = temporal_attention(exact(q), exact(k), exact(v), frames, heads, scale, exact(position))
    check(kernel, plain, reference)


def test_pixels_may_be_far_apart(check: Callable[..., None]) -> None:
    """Beyond 32-bit offsets; of the gigabytes between them nothing is touched."""
    for pixels, stride, width in ((5, FARTHEST, 80), (3, 2 * FARTHEST, 80)):  # four a program; and copied before
        memory = torch.UntypedStorage(2 * ((pixels - 1) * stride + 2 * width))
        q = torch.zeros(0, dtype=torch.float16).set_(memory, 0, (2, pixels, width), (width, stride, 1))
        q.copy_(torch.randn(2, pixels, width))
        kernel = launch(q, q, q, 2, 1, 0.25, None)
        check(kernel, temporal_attention(q, q, q, 2, 1, 0.25), temporal_attention(*[q.float()] * 3, 2, 1, 0.25))


def test_large_scores_do_not_overflow(check: Callable[..., None]) -> None:
    q, k, v = torch.randn(3, 8, 2, 20).unbind()
    kernel = launch(q * 100, k * 100, v, 8, 2, 1.0, None)
    plain = temporal_attention(q * 100, k * 100, v, 8, 2, 1.0)
    check(kernel, plain, temporal_attention(q.double() * 100, k.double() * 100, v.double(), 8, 2, 1.0))
