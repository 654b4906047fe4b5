"""YUV kernel against plain torch."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from framecast.kernels.yuv420.naive import planes, yuv420
from framecast.kernels.yuv420.op import launch


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", [(2, 3, 10, 14), (1, 3, 2, 2), (1, 3, 6, 258), (3, 3, 4, 2)], ids=str)
def test_equals_torch(shape: tuple[int, ...], dtype: torch.dtype, exact: Callable[[Any], Any]) -> None:
    x = (torch.randn(shape) * 0.8).to(dtype)
    layouts = (
        x,
        x.contiguous(memory_format=torch.channels_last),
        x.transpose(2, 3).contiguous().transpose(2, 3),
        torch.cat([x, x], dim=3)[..., : shape[3]],
        x.flip(0)[:1].expand(2, -1, -1, -1),
    )
    for value in layouts:
        for ours, plain, true in zip(launch(value), yuv420(value), planes(exact(value)), strict=True):
            assert ours.dtype == torch.uint8
            # Rounded to bytes the error is at most half a step, but for the last bits of float32 near a half.
            assert (ours.double() - true.double()).abs().max() <= 0.5 + 1e-4
            if dtype == torch.float32:
                assert (ours != plain).float().mean() <= 0.002


def test_clamps_and_keeps_to_the_limited_range() -> None:
    x = torch.tensor([-9.0, -1.0, 1.0, 9.0]).reshape(1, 1, 1, 4).expand(1, 3, 2, 4)
    y, u, v = launch(x)
    assert y.tolist() == [[[16, 16, 235, 235]] * 2]
    assert u.unique().tolist() == [128]
    assert v.unique().tolist() == [128]


def test_channels_may_be_far_apart() -> None:
    """Twice their distance is more than 32 bits hold."""
    memory = torch.UntypedStorage(2 * ((1 << 31) + 64))  # of which the system gives only what is touched
    x = torch.tensor([], dtype=torch.float16).set_(memory, 0, (1, 3, 4, 4), (16, 1 << 30, 4, 1))
    x.copy_(torch.rand(1, 3, 4, 4) * 2 - 1)
    for ours, plain in zip(launch(x), yuv420(x.float()), strict=True):
        assert (ours.int() - plain.int()).abs().max() <= 1
