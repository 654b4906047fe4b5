"""The planes are those of the exported decoder."""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from framecast.export.bundle import Fold
from framecast.export.graphs.decode_yuv import DecodeYuv
from framecast.kernels.yuv420.op import yuv420


def test_equals_the_exported_decoder() -> None:
    class Same(torch.nn.Module):
        config = SimpleNamespace(scaling_factor=1.0, shift_factor=None)

        def decode(self, x: Tensor, return_dict: bool) -> Any:
            return (x,)

    torch.manual_seed(0)
    x = torch.randn(2, 3, 8, 12)
    decoder = DecodeYuv(Same(), Fold(frames=1, rows=1, columns=1))
    for ours, theirs in zip(yuv420(x), decoder(x)[:3], strict=True):
        assert torch.equal(ours, theirs)
