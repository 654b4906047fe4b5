"""Number formats of exported graphs, and what each may cost.

Weights and activations of the model are cast; latents, the sampler's update and the picture's last arithmetic stay in
single precision, as do the graph's inputs and outputs: a repository in any precision is called the same way.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from framecast.errors import InvalidRepository


@dataclass(frozen=True)
class Precision:
    """A number format.

    Attributes:
        name: as in ``--precision``.
        dtype: of weights and activations.
        tolerance: largest error against the float32 module, relative to its largest value where that is beyond 1.
        levels: largest error of an 8-bit pixel.
        level_share: share of pixels that may be off by any.
        on_cpu: ONNX Runtime computes it on a CPU, so that a graph can be checked here.
    """

    name: str
    dtype: torch.dtype
    tolerance: float
    levels: int
    level_share: float
    on_cpu: bool = True


FP32 = Precision("fp32", torch.float32, 1e-3, 1, 1e-3)
FP16 = Precision("fp16", torch.float16, 2e-2, 4, 0.5)
# Eight bits of mantissa: sixteen times fp16's rounding. ONNX Runtime's CPU kernels do not take it.
BF16 = Precision("bf16", torch.bfloat16, 0.3, 32, 1.0, on_cpu=False)
PRECISIONS: Mapping[str, Precision] = {p.name: p for p in (FP32, FP16, BF16)}
# Made from a graph in another precision (`framecast.export.quantise`): name → engine → what it is made from and what
# of it stays. On a GPU that is half precision; the CPU's float kernels are single.
QUANTISED: Mapping[str, Mapping[str, Precision]] = {
    "int8": {"onnxruntime": FP32, "tensorrt": FP16, "tensorrt-rtx": FP16},
    "fp8": {"tensorrt": FP16, "tensorrt-rtx": FP16},
}


def precision_named(name: str) -> Precision:
    """The precision of that name. Raises InvalidRepository."""
    if name not in PRECISIONS:
        raise InvalidRepository(f"--precision is {name!r}; choose one of {', '.join((*PRECISIONS, *QUANTISED))}.")
    return PRECISIONS[name]


def precision_for(name: str, engine: str) -> Precision:
    """What UNet and VAE are exported in for a ``--precision`` and an ``--engine``. Raises InvalidRepository."""
    if name in QUANTISED and engine not in QUANTISED[name]:
        raise InvalidRepository(f"--precision {name} is for --engine {' or '.join(QUANTISED[name])}, not {engine}.")
    return QUANTISED[name][engine] if name in QUANTISED else precision_named(name)


def lowered(model: Any, precision: Precision) -> Any:
    """A copy of `model` in the precision; the model itself when it is single already."""
    if precision.dtype is torch.float32:
        return model
    # Cast before the copy and not after it: there is never a second one in single precision.
    cast: dict[int, Any] = {id(p): nn.Parameter(p.to(precision.dtype), False) for p in model.parameters()}
    cast |= {id(b): b.to(precision.dtype) for b in model.buffers() if b.is_floating_point()}
    return copy.deepcopy(model, cast)
