"""Ops in e4m3 against their definitions: the same bytes, but where a sum in another order falls to the other side."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from framecast.kernels.fp8 import geglu, naive
from framecast.kernels.fp8.conv import pack
from framecast.kernels.fp8.naive import FP8, quantise
from framecast.kernels.group_norm_silu import naive as norm_naive
from framecast.kernels.group_norm_silu import op as norm_op
from framecast.kernels.layout import channels_last
from framecast.kernels.upsample_conv.launch import empty, launch

DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def same_bytes(ours: torch.Tensor, theirs: torch.Tensor, *, but: float) -> None:
    """Equal but for a share of neighbours: bytes of one sign are in the order of their values."""
    assert ours.dtype == theirs.dtype == FP8
    apart = (dense_bytes(ours) - dense_bytes(theirs)).abs()
    assert (apart > 0).float().mean() <= but
    assert apart.max() <= 1


def dense_bytes(x: torch.Tensor) -> torch.Tensor:
    return x.contiguous().view(torch.uint8).int()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(1, 16, 16, 1, 1), (3, 48, 80, 5, 7), (2, 144, 144, 9, 20)], ids=str)
def test_convolution(
    shape: tuple[int, ...], dtype: torch.dtype, check: Callable[..., None], exact: Callable[[Any], Any]
) -> None:
    images, channels, outputs, height, width = shape
    x = channels_last(quantise(torch.randn(images, channels, height, width)))
    weight, scale = pack(torch.randn(outputs, channels, 3, 3) / (9 * channels) ** 0.5)
    bias = torch.randn(outputs).to(dtype)
    out = empty(x, outputs, dtype)
    launch(x, weight, scale, bias, out, 3, (-1, -1))
    check(out, naive.conv_fp8(x, weight, scale, bias), naive.conv_fp8(x, weight, scale, exact(bias)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shifted", [False, True])
def test_norm(shifted: bool, dtype: torch.dtype) -> None:
    x = (torch.randn(2, 5, 7, 48) * 2 + 0.5).to(dtype).movedim(-1, 1)
    weight, bias = torch.randn(48).to(dtype), torch.randn(48).to(dtype)
    shift = torch.randn(2, 48, 1, 1).to(dtype) if shifted else None
    ours, _ = norm_op.launch(x, shift, weight, bias, 4, 1e-5, True, dtype=FP8, keep=False)
    total = x if shift is None else x + shift
    same_bytes(ours, quantise(norm_naive.group_norm_silu(total.float(), weight, bias, 4)), but=0.001)


def test_a_norm_beyond_the_largest_value_saturates() -> None:
    x = torch.randn(1, 16, 4, 4)
    ours, _ = norm_op.launch(x, None, torch.full((16,), 1e4), torch.zeros(16), 2, 1e-5, False, dtype=FP8, keep=False)
    assert ours.float().abs().max() == 448


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(3, 5, 154), (2, 2560), (7, 2), (4, 1024), (2, 3, 96)], ids=str)
def test_geglu(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = (torch.randn(shape) * 1.5).to(dtype)  # from −6 on torch's GELU is 0, ours is not, and a row may be one value
    sliced = torch.cat([x, x], dim=-1)[..., 1 : shape[-1] + 1]
    for value in (x, sliced):
        ours, scale = geglu.launch(value)
        theirs, wanted = naive.geglu_fp8(value)
        torch.testing.assert_close(scale, wanted, rtol=1e-6, atol=6e-8 * 16 / 448)  # of GELU, times a hidden value
        same_bytes(ours, theirs, but=0.001)


def test_a_row_of_zeros_is_zero() -> None:
    values, scale = geglu.launch(torch.zeros(2, 32))
    assert torch.equal(values.float() * scale, torch.zeros(2, 16))
