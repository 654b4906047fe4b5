"""Half-width arithmetic for training, on devices that multiply it in hardware."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def width(device: str = "cpu") -> torch.dtype:
    """bfloat16 on a GPU and where the processor has AVX512_BF16 or AMX, float32 elsewhere.

    With the instruction, matrix products are 2 to 4 times as fast as in single precision; without it they are emulated
    and 2 to 3 times slower.
    """
    if device == "cuda":
        return torch.bfloat16
    # PyTorch asks the processor, but has no public name for the answer.
    quick = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if quick else torch.float32


def mixed(device: str = "cpu") -> AbstractContextManager[None]:
    """Autocast to `width()`; weights, their gradients and the optimizer's state stay in single precision."""
    return torch.autocast(device, torch.bfloat16) if width(device) is torch.bfloat16 else nullcontext()
