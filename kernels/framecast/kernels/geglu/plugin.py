"""GEGLU for TensorRT: x [..., 2 · width] → [..., width]."""

from collections.abc import Sequence
from typing import Any

from framecast.kernels.checks import require
from framecast.kernels.geglu.config import constants, spec
from framecast.kernels.tensorrt_plugin import Attributes, Launch, Plugin, product


def _check(attributes: Attributes) -> None:
    require(attributes["width"] >= 1, f"width: {attributes['width']} is not 1 or more.")


def _describe(trtp: Any, inputs: Sequence[Any], attributes: Attributes) -> tuple[Any, ...]:
    x = inputs[0]
    leading = tuple(x.shape_expr[axis] for axis in range(x.ndim - 1))
    return (trtp.from_shape_expr((*leading, attributes["width"]), x.dtype),)


def _launch(trtp: Any, inputs: Sequence[Any], dtype: str, attributes: Attributes) -> Launch:
    x, width = inputs[0], attributes["width"]
    rows = product([x.shape_expr[axis] for axis in range(x.ndim - 1)])
    fixed = constants(width)
    grid = (trtp.cdiv(rows, fixed["BLOCK_ROWS"]), -(-width // fixed["BLOCK_WIDTH"]))
    return Launch(spec(width, dtype, variant="tensorrt"), grid, (rows, 2 * width))


PLUGINS = (Plugin("geglu", ("x",), {"width": int}, 1, _describe, _launch, _check),)
