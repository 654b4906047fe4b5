"""Checks of arguments that several ops share; every message names the argument."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

FLOATS = (torch.float32, torch.float16, torch.bfloat16)
MOST_SAMPLES = 65535  # of a launch whose samples are not the grid's first axis (CUDA C++ programming guide)
_Launch = TypeVar("_Launch", bound=Callable[..., Any])


def require(condition: bool, message: str) -> None:
    """Raises ValueError with `message` unless `condition`."""
    if not condition:
        raise ValueError(message)


def require_float(name: str, x: Tensor) -> None:
    """Raises ValueError unless x is float32, float16 or bfloat16 (float64 too on the CPU, as a reference)."""
    _require_tensor(name, x)
    allowed = (*FLOATS, torch.float64) if x.device.type == "cpu" else FLOATS
    require(x.dtype in allowed, f"{name}: {x.dtype} is not float32, float16 or bfloat16.")


def _require_tensor(name: str, x: object) -> None:
    if not isinstance(x, Tensor):
        raise ValueError(f"{name}: {x!r:.40} is no tensor; give one.")


def require_like(name: str, x: Tensor, other_name: str, other: Tensor) -> None:
    """Raises ValueError unless x has the shape, dtype and device of `other`."""
    require(
        x.shape == other.shape and x.dtype == other.dtype and x.device == other.device,
        f"{name}: {tuple(x.shape)} {x.dtype} on {x.device} differs from {other_name}, "
        f"{tuple(other.shape)} {other.dtype} on {other.device}; give it the same.",
    )


def require_shape(name: str, x: Tensor, shape: tuple[int, ...]) -> None:
    """Raises ValueError unless x is a tensor of this shape."""
    _require_tensor(name, x)
    require(tuple(x.shape) == shape, f"{name}: shape {tuple(x.shape)} is not {shape}.")


def require_device(name_of_x: str, x: Tensor, **others: Tensor | None) -> None:
    """Raises ValueError unless all others are where x is."""
    for name, other in others.items():
        if other is not None:
            require(other.device == x.device, f"{name}: is on {other.device} and {name_of_x} on {x.device}.")


def require_samples(name: str, samples: int) -> None:
    """Raises ValueError for more samples than a launch takes."""
    require(samples <= MOST_SAMPLES, f"{name}: {samples} samples are more than {MOST_SAMPLES}; split them.")


def on_its_device(launch: _Launch) -> _Launch:
    """Has a launch run where its first argument, a tensor, is: Triton starts kernels on the current device."""

    @wraps(launch)
    def there(x: Tensor, *rest: Any, **options: Any) -> Any:
        if not (x.is_cuda and torch.cuda.is_available()):
            return launch(x, *rest, **options)
        with torch.cuda.device(x.device):
            return launch(x, *rest, **options)

    return cast(_Launch, there)
