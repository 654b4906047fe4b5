"""Activations [N, C, …] seen as channels-last rows [N, L, C], without a copy where their strides allow it."""

import math

import torch
from torch import Tensor

_LARGEST_ROW = 1 << 20  # elements; rows further apart than this would overflow 32-bit offsets inside a tile


def rows_of(x: Tensor) -> Tensor:
    """x [N, C, …] as [N, L, C] with dense channels: a view of channels-last memory, else a copy."""
    rows = x.movedim(1, -1).reshape(x.shape[0], math.prod(x.shape[2:]), x.shape[1])
    if rows.stride(2) != 1 or rows.stride(1) > _LARGEST_ROW:
        rows = rows.contiguous()
    return rows


def empty_rows(x: Tensor) -> Tensor:
    """Uninitialised dense rows [N, L, C] of the dtype and device of x [N, C, …]."""
    return torch.empty((x.shape[0], math.prod(x.shape[2:]), x.shape[1]), dtype=x.dtype, device=x.device)


def image_of(rows: Tensor, x: Tensor) -> Tensor:
    """Dense rows [N, L, C] as a channels-last tensor of the shape of x [N, C, …]."""
    return rows.view(x.shape[0], *x.shape[2:], x.shape[1]).movedim(-1, 1)


def channels_last(x: Tensor) -> Tensor:
    """x [N, C, …] in dense channels-last memory; copied unless it is already."""
    return x.movedim(1, -1).contiguous().movedim(-1, 1)


def flat_samples(x: Tensor) -> Tensor:
    """x [B, …] as [B, M] with dense elements: a view where strides allow it, else a copy."""
    flat = x.reshape(x.shape[0], math.prod(x.shape[1:]))
    return flat if flat.stride(1) == 1 else flat.contiguous()
