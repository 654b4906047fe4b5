"""Guidance and sampler update for TensorRT, a plugin for each set of optional tensors; all samples dense [B, …].

With rescaling there are two nodes: `guided_moments` gives the statistics that a ``guided_step…_rescale`` takes.
"""

from collections.abc import Sequence
from typing import Any

from framecast.kernels.guided_step.config import MOMENTS_BLOCK, moments_spec, step_constants, step_spec
from framecast.kernels.tensorrt_plugin import Attributes, Launch, Plugin, product


def _length(x: Any) -> Any:
    return product([x.shape_expr[axis] for axis in range(1, x.ndim)])


def _describe_moments(trtp: Any, inputs: Sequence[Any], attributes: Attributes) -> tuple[Any, ...]:
    import tensorrt

    blocks = trtp.cdiv(_length(inputs[0]), MOMENTS_BLOCK)
    return (trtp.from_shape_expr((inputs[0].shape_expr[0], blocks, 4), tensorrt.DataType.FLOAT),)


def _launch_moments(trtp: Any, inputs: Sequence[Any], dtype: str, attributes: Attributes) -> Launch:
    length = _length(inputs[0])
    grid = (trtp.cdiv(length, MOMENTS_BLOCK), inputs[0].shape_expr[0])
    return Launch(moments_spec(dtype, variant="tensorrt"), grid, (length, length, length))


def _describe_step(trtp: Any, inputs: Sequence[Any], attributes: Attributes) -> tuple[Any, ...]:
    return inputs[0].like(), inputs[0].like()


def _step(*, noise: bool, previous: bool, rescale: bool) -> Plugin:
    def launch(trtp: Any, inputs: Sequence[Any], dtype: str, attributes: Attributes) -> Launch:
        length = _length(inputs[0])
        spec = step_spec(dtype, noise=noise, previous=previous, rescale=rescale, variant="tensorrt")
        grid = (trtp.cdiv(length, step_constants(rescale=rescale)["BLOCK"]), inputs[0].shape_expr[0])
        return Launch(spec, grid, (length,) * (4 + noise + previous))

    optional = {"noise": noise, "previous": previous, "rescale": rescale}
    present = tuple(name for name, there in optional.items() if there)
    inputs = ("x", "unconditional", "conditional", "guidance", "coefficients", *present)
    name = "_".join(("guided_step", *present))
    return Plugin(name, (*inputs, "partial") if rescale else inputs, {}, 2, _describe_step, launch)


PLUGINS = (
    Plugin("guided_moments", ("unconditional", "conditional", "guidance"), {}, 1, _describe_moments, _launch_moments),
    *(
        _step(noise=noise, previous=previous, rescale=rescale)
        for noise in (False, True)
        for previous in (False, True)
        for rescale in (False, True)
    ),
)
