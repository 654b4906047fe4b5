"""Group norm for TensorRT, as two nodes over rows [N, L, C]: partial statistics, then normalisation."""

from collections.abc import Sequence
from typing import Any

from framecast.kernels.checks import require
from framecast.kernels.group_norm_silu.config import MAX_WIDTH, GroupNormConfig, apply_spec, stats_spec
from framecast.kernels.tensorrt_plugin import Attributes, Launch, Plugin

_SHAPE = {"groups": int, "channels": int, "rows": int}  # rows: those of one block of statistics, `GroupNormConfig.rows`


def _check(attributes: Attributes) -> None:
    groups, channels, rows = attributes["groups"], attributes["channels"], attributes["rows"]
    require(rows >= 1, f"rows: {rows} is not 1 or more.")
    require(groups >= 1 and channels >= 1 and channels % groups == 0, f"groups: {groups} does not divide {channels}.")
    require(channels // groups <= MAX_WIDTH, f"groups: {channels // groups} channels in a group exceed {MAX_WIDTH}.")


def _config(attributes: Attributes) -> GroupNormConfig:
    return GroupNormConfig(attributes["groups"], attributes["channels"] // attributes["groups"], attributes["rows"])


def _partial(trtp: Any, x: Any, attributes: Attributes) -> Any:
    import tensorrt

    blocks = trtp.cdiv(x.shape_expr[1], attributes["rows"])
    return trtp.from_shape_expr((x.shape_expr[0], blocks, 2, attributes["groups"]), tensorrt.DataType.FLOAT)


def _describe_stats(trtp: Any, inputs: Sequence[Any], attributes: Attributes) -> tuple[Any, ...]:
    return (_partial(trtp, inputs[0], attributes),)


def _describe_add_stats(trtp: Any, inputs: Sequence[Any], attributes: Attributes) -> tuple[Any, ...]:
    return inputs[0].like(), _partial(trtp, inputs[0], attributes)


def _describe_apply(trtp: Any, inputs: Sequence[Any], attributes: Attributes) -> tuple[Any, ...]:
    return (inputs[0].like(),)


def _grid(trtp: Any, x: Any, config: GroupNormConfig) -> tuple[Any, ...]:
    return trtp.cdiv(x.shape_expr[1], config.rows), config.group_tiles, x.shape_expr[0]


def _launch_stats(trtp: Any, inputs: Sequence[Any], dtype: str, attributes: Attributes) -> Launch:
    x, channels, config = inputs[0], attributes["channels"], _config(attributes)
    strides = (x.shape_expr[1] * channels, channels) * len(inputs)  # of x, and of the residual if there is one
    spec = stats_spec(config, dtype, residual=len(inputs) == 2, variant="tensorrt")
    return Launch(spec, _grid(trtp, x, config), (x.shape_expr[1], *strides))


def _launch_apply(trtp: Any, inputs: Sequence[Any], dtype: str, attributes: Attributes) -> Launch:
    x, channels, config = inputs[0], attributes["channels"], _config(attributes)
    spec = apply_spec(config, dtype, eps=attributes["eps"], silu=bool(attributes["silu"]), variant="tensorrt")
    return Launch(spec, _grid(trtp, x, config), (x.shape_expr[1], x.shape_expr[1] * channels, channels))


STATS = Plugin("group_norm_stats", ("x",), _SHAPE, 1, _describe_stats, _launch_stats, _check)
ADD_STATS = Plugin("group_norm_add_stats", ("x", "residual"), _SHAPE, 2, _describe_add_stats, _launch_stats, _check)
APPLY = Plugin(
    "group_norm_apply",
    ("x", "partial", "weight", "bias"),
    {**_SHAPE, "eps": float, "silu": int},
    1,
    _describe_apply,
    _launch_apply,
    _check,
)
PLUGINS = (STATS, ADD_STATS, APPLY)
