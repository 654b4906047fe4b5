"""Counts the calls of our ops in a model's forward, on the meta device: nothing is computed, so any size will do."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

Call = tuple[Any, ...]
"""An op's name and its sizes, as `framecast.kernels.shapes` lists them."""


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: Counter[Call] = Counter()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        space, name = function.namespace, function._schema.name.split("::")[1]
        if space == "framecast":
            self.calls[_CALLS[name](*args)] += 1
        return function(*args, **(kwargs or {}))


def _norm(x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool) -> Call:
    return ("group_norm_silu", x.shape[0], x[0, 0].numel(), x.shape[1], groups, silu, False)


def _shifted_norm(x: Tensor, shift: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool) -> Call:
    return ("group_norm_silu", x.shape[0], x[0, 0].numel(), x.shape[1], groups, silu, True)


def _attention(
    q: Tensor, k: Tensor, v: Tensor, frames: int, heads: int, scale: float, position: Tensor | None = None
) -> Call:
    return ("temporal_attention", q.shape[0], q.shape[1], heads, q.shape[2] // heads, frames)


def _geglu(x: Tensor) -> Call:
    return ("geglu", x.numel() // x.shape[-1], x.shape[-1] // 2)


def _upsample(x: Tensor, weight: Tensor, bias: Tensor) -> Call:
    return ("upsample_conv", x.shape[0], x.shape[1], bias.shape[0], x.shape[2], x.shape[3])


_CALLS: dict[str, Callable[..., Call]] = {
    "group_norm_silu": _norm,
    "shift_group_norm_silu": _shifted_norm,
    "temporal_attention": _attention,
    "geglu": _geglu,
    "upsample_conv": _upsample,
}


def count(forward: Callable[[], object]) -> Counter[Call]:
    """How often each op is called, and with which sizes.

    Args:
        forward: runs a model that `patch` has changed, on the meta device.
    """
    recorder = _Recorder()
    with torch.inference_mode(), recorder:
        forward()
    return recorder.calls
