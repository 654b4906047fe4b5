"""Weights in e4m3 that a module keeps, and products with them."""

from typing import Any

import torch
from torch import Tensor, nn

from framecast.kernels.fp8.naive import LARGEST, quantise
from framecast.kernels.patches.kept import is_kept, keep

WEIGHT, SCALE = "weight_fp8", "scale_fp8"  # buffers of a module that multiplies in e4m3


def in_fp8(module: nn.Module) -> bool:
    """Whether the module's weight is packed."""
    return is_kept(module, WEIGHT)


def keep_packed(module: nn.Module, weight: Tensor, scale: Tensor) -> None:
    """Keeps a weight in e4m3 with its scale, one or one for each output."""
    keep(module, WEIGHT, weight)
    keep(module, SCALE, scale)


def pack_whole(module: nn.Module, weight: Tensor) -> None:
    """Keeps `weight` with one scale for all of it."""
    weight = weight.detach().float()
    scale = weight.abs().max().clamp(min=1e-12) / LARGEST
    keep_packed(module, quantise(weight / scale), scale)


def behind_norm(module: Any, x: Tensor, bias: Tensor | None) -> Tensor:
    """x · weightᵀ + bias with the module's packed weight; x is what a norm gives, and needs no scale."""
    return product(module, quantise(x), torch.ones((), dtype=torch.float32, device=x.device), bias, x.dtype)


def product(module: Any, values: Tensor, scale: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
    """scale · values · weightᵀ + bias of e4m3 [..., c], with one scale or one for each row."""
    rows, weight = values.reshape(-1, values.shape[-1]), module.weight_fp8
    if not values.is_cuda:
        out = (rows.float() @ weight.float().t()) * scale * module.scale_fp8
        out = (out if bias is None else out + bias.float()).to(dtype)
    else:
        out = torch._scaled_mm(
            rows,
            weight.t(),
            scale_a=scale,
            scale_b=module.scale_fp8,
            bias=bias,
            out_dtype=dtype,
            use_fast_accum=True,
        )
    found: Tensor = out.reshape(*values.shape[:-1], weight.shape[0])
    return found
