"""Which convolutions the kernels compute."""

from typing import Any

from torch import nn


def is_plain_3x3(conv: Any) -> bool:
    """Whether `conv` is torch's own, 3 × 3, stride 1, with a border of zeros, one group and a bias."""
    return (
        type(conv) is nn.Conv2d
        and conv.kernel_size == (3, 3)
        and conv.stride == conv.padding == conv.dilation == (1, 1)
        and conv.groups == 1
        and conv.padding_mode == "zeros"
        and conv.bias is not None
    )
