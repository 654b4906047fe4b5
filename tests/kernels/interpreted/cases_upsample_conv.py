"""The convolution of an enlarged picture against enlarging it and convolving."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from framecast.kernels.layout import channels_last
from framecast.kernels.upsample_conv.launch import empty, launch
from framecast.kernels.upsample_conv.naive import upsample_conv
from framecast.kernels.upsample_conv.op import PLACES, pack

# (images, channels, outputs, height, width): odd sizes, one pixel, more images than a tile, more channels than a step.
SHAPES = ((1, 8, 16, 1, 1), (3, 48, 80, 5, 7), (2, 72, 136, 3, 20), (17, 16, 8, 2, 3))


def by_kernel(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """What the op launches on a GPU."""
    out = empty(x, bias.shape[0], x.dtype, enlarged=2)
    for part, (line, column) in zip(pack(weight), PLACES, strict=True):
        launch(channels_last(x), part, None, bias, out[:, :, line::2, column::2], 2, (line - 1, column - 1))
    return out


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_torch(
    shape: tuple[int, ...], dtype: torch.dtype, check: Callable[..., None], exact: Callable[[Any], Any]
) -> None:
    images, channels, outputs, height, width = shape
    x = torch.randn(images, channels, height, width).to(dtype)
    weight = (torch.randn(outputs, channels, 3, 3) / (9 * channels) ** 0.5).to(dtype)
    bias = torch.randn(outputs).to(dtype)
    reference = upsample_conv(*map(exact, (x, weight, bias)))
    for layout in (x, channels_last(x)):
        check(by_kernel(layout, weight, bias), upsample_conv(x, weight, bias), reference)


def test_a_tap_that_reads_a_pixel_too_far_is_seen() -> None:
    x, weight, bias = torch.randn(1, 16, 4, 4), torch.randn(16, 16, 3, 3), torch.zeros(16)
    wrong = empty(x, 16, x.dtype, enlarged=2)
    for part, (line, column) in zip(pack(weight), PLACES, strict=True):
        launch(channels_last(x), part, None, bias, wrong[:, :, line::2, column::2], 2, (line - 1, column))
    assert (wrong - upsample_conv(x, weight, bias)).abs().max() > 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_strides_and_addresses(dtype: torch.dtype, check: Callable[..., None], exact: Callable[[Any], Any]) -> None:
    """A bias that is every second or one value, weights that are a slice, a picture that begins between 16 bytes."""
    x = torch.randn(2 * 16 * 3 * 5 + 1).to(dtype)[1:].view(2, 3, 5, 16).movedim(-1, 1)
    weight = (torch.randn(24, 16, 3, 3) / 12).to(dtype)
    for bias in (torch.randn(48).to(dtype)[::2], torch.tensor([0.5]).to(dtype).expand(24)):
        check(by_kernel(x, weight, bias), upsample_conv(x, weight, bias), upsample_conv(*map(exact, (x, weight, bias))))
    packed = pack(weight)
    apart = torch.zeros(*packed.shape, 2, dtype=dtype)
    apart[..., 0] = packed
    out = empty(x, 24, dtype, enlarged=2)
    for part, (line, column) in zip(apart[..., 0], PLACES, strict=True):
        launch(x, part, None, bias, out[:, :, line::2, column::2], 2, (line - 1, column - 1))
    assert torch.equal(out, by_kernel(x, weight, bias))
