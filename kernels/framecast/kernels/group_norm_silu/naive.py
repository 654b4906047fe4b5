"""Reference: what `framecast.kernels.group_norm_silu.op` must equal; float32 in, float32 arithmetic."""

import torch
from torch import Tensor
from torch.nn import functional as F


def group_norm_silu(
    x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float = 1e-5, silu: bool = True
) -> Tensor:
    """GroupNorm (Wu and He 2018) of x [N, C, …] over `groups` groups of channels, then SiLU; in the dtype of x."""
    out = torch.group_norm(x, groups, weight.to(x.dtype), bias.to(x.dtype), eps)
    return F.silu(out) if silu else out


def add_group_norm_silu(
    x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float = 1e-5, silu: bool = True
) -> tuple[Tensor, Tensor]:
    """(group_norm_silu(x + residual), x + residual); `residual` broadcasts to x."""
    total = x + residual
    return group_norm_silu(total, weight, bias, groups, eps, silu), total


def shift_group_norm_silu(
    x: Tensor, shift: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float = 1e-5, silu: bool = True
) -> Tensor:
    """group_norm_silu(x + shift); `shift` broadcasts to x."""
    return group_norm_silu(x + shift, weight, bias, groups, eps, silu)
