"""Group norm kernels against plain torch."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from framecast.kernels.group_norm_silu.naive import add_group_norm_silu, group_norm_silu
from framecast.kernels.group_norm_silu.op import launch

DTYPES = (torch.float32, torch.float16, torch.bfloat16)

# (shape, groups): odd sizes, one group, a group a channel, size-1 axes, a group wider than a tile, three row blocks.
SHAPES = (
    ((2, 20, 5, 7), 2),
    ((1, 6, 3), 3),
    ((3, 10, 1, 1), 1),
    ((1, 4, 1, 1), 4),
    ((1, 1, 9), 1),
    ((2, 96, 2, 3, 3), 32),
    ((1, 160, 3, 5), 2),
    ((1, 6, 30, 40), 3),
)


def _layouts(shape: tuple[int, ...], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """The same kind of activations in several memory layouts, away from zero."""
    n, c, *rest = shape
    dense = (torch.randn(n, *rest, c) * 1.5 + 0.7).to(dtype).movedim(-1, 1)
    wide = (torch.randn(n, *rest, c + 3) + 0.3).to(dtype).movedim(-1, 1)
    return {
        "channels last": dense,
        "contiguous": dense.contiguous(),
        "slice of channels": wide[:, 1 : c + 1],
        "every second sample": torch.cat([dense, dense])[::2],
    }


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("shape", "groups"), SHAPES, ids=str)
def test_equals_torch(
    shape: tuple[int, ...], groups: int, dtype: torch.dtype, check: Callable[..., None], exact: Callable[[Any], Any]
) -> None:
    weight, bias = torch.randn(shape[1]).to(dtype), torch.randn(shape[1]).to(dtype)
    layouts = _layouts(shape, dtype)
    for name, x in layouts.items() if dtype == torch.float32 else list(layouts.items())[:1]:
        silu = name != "contiguous"
        kernel, _ = launch(x, None, weight, bias, groups, 1e-5, silu)
        plain = group_norm_silu(x, weight, bias, groups, 1e-5, silu)
        reference = group_norm_silu(exact(x), exact(weight), exact(bias), groups, 1e-5, silu)
        check(kernel, plain, reference)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("broadcast", [False, True], ids=["full residual", "time embedding"])
def test_adds_a_residual(
    broadcast: bool, dtype: torch.dtype, check: Callable[..., None], exact: Callable[[Any], Any]
) -> None:
    x = torch.randn(2, 5, 7, 12).to(dtype).movedim(-1, 1)
    residual = torch.randn(2, 12, 1, 1).to(dtype) if broadcast else torch.randn(2, 12, 5, 7).to(dtype)
    weight, bias = torch.randn(12).to(dtype), torch.randn(12).to(dtype)
    kernel = launch(x, residual, weight, bias, 4, 1e-6, True)
    plain = add_group_norm_silu(x, residual, weight, bias, 4, 1e-6, True)
    reference = add_group_norm_silu(*map(exact, (x, residual, weight, bias)), 4, 1e-6, True)
    for ours, theirs, true in zip(kernel, plain, reference, strict=True):
        check(ours, theirs, true)
    assert torch.equal(kernel[1], plain[1])
    unkept, x_again = launch(x, residual, weight, bias, 4, 1e-6, True, keep=False)
    assert torch.equal(unkept, kernel[0])
    assert x_again is x


def test_more_blocks_than_one_program_merges_at_once(check: Callable[..., None]) -> None:
    x = torch.randn(1, 33001, 2).movedim(-1, 1)  # 65 blocks of 512 rows, merged 64 at a time
    weight, bias = torch.randn(2), torch.randn(2)
    kernel, _ = launch(x, None, weight, bias, 1, 1e-5, True)
    check(kernel, group_norm_silu(x, weight, bias, 1), group_norm_silu(x.double(), weight, bias, 1))


def test_a_mean_far_from_zero_loses_no_digits(check: Callable[..., None]) -> None:
    x = (torch.randn(1, 700, 4) + 5000).movedim(-1, 1)
    weight, bias = torch.ones(4), torch.zeros(4)
    kernel, _ = launch(x, None, weight, bias, 2, 1e-5, False)
    reference = group_norm_silu(x.double(), weight, bias, 2, 1e-5, False)
    assert (kernel - reference).abs().max() < 1e-3  # sums of squares in float32 would be wrong by 0.1 and more


@pytest.mark.parametrize(
    ("dtype", "mean", "deviation"),
    [
        (torch.float32, 100.0, 0.01),
        (torch.float32, 1000.0, 1e-3),
        (torch.float16, 1000.0, 1e-3),
        (torch.bfloat16, 1e4, 0.1),
        (torch.float32, 10000.3, 0.0),
    ],
)
@pytest.mark.parametrize("length", [300, 5000])
def test_nor_where_blocks_are_merged(
    dtype: torch.dtype,
    mean: float,
    deviation: float,
    length: int,
    check: Callable[..., None],
    exact: Callable[[Any], Any],
) -> None:
    x = (torch.randn(2, length, 8) * deviation + mean).to(dtype).movedim(-1, 1)
    weight, bias = torch.randn(8).to(dtype), torch.randn(8).to(dtype)
    kernel, _ = launch(x, None, weight, bias, 2, 1e-5, False)
    plain = group_norm_silu(x, weight, bias, 2, 1e-5, False)
    check(kernel, plain, group_norm_silu(x.double(), weight.double(), bias.double(), 2, 1e-5, False))
