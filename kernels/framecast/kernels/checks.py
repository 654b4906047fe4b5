"""Checks of arguments that several ops share; every message names the argument."""

import torch
from torch import Tensor

FLOATS = (torch.float32, torch.float16, torch.bfloat16)


def require(condition: bool, message: str) -> None:
    """Raises ValueError with `message` unless `condition`."""
    if not condition:
        raise ValueError(message)


def require_float(name: str, x: Tensor) -> None:
    """Raises ValueError unless x is float32, float16 or bfloat16 (float64 too on the CPU, as a reference)."""
    allowed = (*FLOATS, torch.float64) if x.device.type == "cpu" else FLOATS
    require(x.dtype in allowed, f"{name}: {x.dtype} is not float32, float16 or bfloat16.")


def require_like(name: str, x: Tensor, other_name: str, other: Tensor) -> None:
    """Raises ValueError unless x has the shape, dtype and device of `other`."""
    require(
        x.shape == other.shape and x.dtype == other.dtype and x.device == other.device,
        f"{name}: {tuple(x.shape)} {x.dtype} on {x.device} differs from {other_name}, "
        f"{tuple(other.shape)} {other.dtype} on {other.device}.",
    )


def require_shape(name: str, x: Tensor, shape: tuple[int, ...]) -> None:
    """Raises ValueError unless x has this shape."""
    require(tuple(x.shape) == shape, f"{name}: shape {tuple(x.shape)} is not {shape}.")
