"""Temporal attention for TensorRT: q, k, v [B · frames, P, C] and, in the second plugin, position [3, frames, C]."""

from collections.abc import Sequence
from typing import Any

from framecast.kernels.checks import require
from framecast.kernels.temporal_attention.config import MAX_FRAMES, MAX_WIDTH, spec
from framecast.kernels.tensorrt_plugin import Attributes, Launch, Plugin

_ATTRIBUTES = {"frames": int, "heads": int, "width": int, "scale": float}


def _check(attributes: Attributes) -> None:
    frames, heads, width = attributes["frames"], attributes["heads"], attributes["width"]
    require(1 <= frames <= MAX_FRAMES, f"frames: {frames} is not in 1 … {MAX_FRAMES}.")
    require(heads >= 1, f"heads: {heads} is not 1 or more.")
    require(1 <= width <= MAX_WIDTH, f"width: {width} is not in 1 … {MAX_WIDTH}.")


def _describe(trtp: Any, inputs: Sequence[Any], attributes: Attributes) -> tuple[Any, ...]:
    return (inputs[0].like(),)


def _launch(trtp: Any, inputs: Sequence[Any], dtype: str, attributes: Attributes) -> Launch:
    frames, heads, width = attributes["frames"], attributes["heads"], attributes["width"]
    images, pixels = inputs[0].shape_expr[0], inputs[0].shape_expr[1]
    strides = (pixels * (heads * width), heads * width) * 3  # of q, k and v
    position = len(inputs) == 4
    kernel = spec(frames, heads, width, dtype, position=position, variant="tensorrt", scale=attributes["scale"])
    blocks = trtp.cdiv(pixels, kernel.constants["PIXELS"])
    return Launch(kernel, (blocks * (images // frames) * heads,), (pixels, *strides))


PLUGINS = (
    Plugin("temporal_attention", ("q", "k", "v"), _ATTRIBUTES, 1, _describe, _launch, _check),
    Plugin("temporal_attention_position", ("q", "k", "v", "position"), _ATTRIBUTES, 1, _describe, _launch, _check),
)
