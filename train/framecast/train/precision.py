"""Half-width arithmetic for training, on processors that multiply it in hardware."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def mixed() -> AbstractContextManager[None]:
    """bfloat16 autocast where the processor has AVX512_BF16 or AMX, and nothing elsewhere.

    With the instruction, matrix products are 2 to 4 times as fast as in single precision; without it they are emulated
    and 2 to 3 times slower. Weights, their gradients and the optimizer stay in single precision.
    """
    # PyTorch asks the processor, but has no public name for the answer.
    if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported():
        return torch.autocast("cpu", torch.bfloat16)
    return nullcontext()
