"""YUV planes for TensorRT: x [N, 3, H, W] → y [N, H, W], u, v [N, H/2, W/2], whole numbers in float16.

A TensorRT plugin has no unsigned bytes; a Cast to uint8 follows each plane, which TensorRT does at the network's edge.
The attribute ``aligned`` is 1 where W is always a multiple of 16, else 0.
"""

from collections.abc import Sequence
from typing import Any

from framecast.kernels.tensorrt_plugin import Attributes, Launch, Plugin
from framecast.kernels.yuv420.config import BLOCK_HEIGHT, BLOCK_WIDTH, spec


def _describe(trtp: Any, inputs: Sequence[Any], attributes: Attributes) -> tuple[Any, ...]:
    import tensorrt

    frames, _, height, width = (inputs[0].shape_expr[axis] for axis in range(4))
    kind = tensorrt.DataType.HALF
    half = (frames, height // 2, width // 2)
    return (
        trtp.from_shape_expr((frames, height, width), kind),
        trtp.from_shape_expr(half, kind),
        trtp.from_shape_expr(half, kind),
    )


def _launch(trtp: Any, inputs: Sequence[Any], dtype: str, attributes: Attributes) -> Launch:
    frames, _, height, width = (inputs[0].shape_expr[axis] for axis in range(4))
    area = height * width
    grid = (trtp.cdiv(width, BLOCK_WIDTH), trtp.cdiv(height, BLOCK_HEIGHT), frames)
    return Launch(
        spec(dtype, "fp16", aligned=bool(attributes["aligned"]), variant="tensorrt"),
        grid,
        (height, width, area * 3, area, width),
    )


PLUGINS = (Plugin("yuv420", ("x",), {"aligned": int}, 3, _describe, _launch),)
