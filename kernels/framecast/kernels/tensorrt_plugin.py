"""The one way a kernel becomes a TensorRT plugin: defined ahead of time, so that an engine needs no Python.

A `Plugin` describes shapes and the launch in TensorRT's symbolic dimensions; `define` builds from it the two functions
that ``tensorrt.plugin`` wants (`register` and `aot_impl`). TensorRT passes a kernel its inputs, then 32-bit integers,
then its outputs, all dense, and nothing else: every float is a constant of the kernel, and the scratch pointers that
Triton appends are taken off the PTX (`framecast.kernels.compile.plain_parameters`).
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from framecast.kernels.compile import compile_kernel
from framecast.kernels.spec import KernelSpec

NAMESPACE = "framecast"
FLOAT32_INPUTS = frozenset({"partial", "guidance", "coefficients", "rescale"})
"""Inputs that are float32 whatever the others are."""
Attributes = Mapping[str, Any]


@dataclass(frozen=True)
class Launch:
    """How a kernel is started; dimensions are ints or TensorRT's symbolic ones.

    Attributes:
        spec: the kernel to compile.
        grid: up to three dimensions.
        integers: its integer arguments, in order.
    """

    spec: KernelSpec
    grid: tuple[Any, ...]
    integers: tuple[Any, ...]


@dataclass(frozen=True)
class Plugin:
    """One kernel as TensorRT sees it.

    Attributes:
        name: of the plugin and of the ONNX node (``op_type``).
        inputs: names of its tensors.
        attributes: name → int or float.
        outputs: how many there are.
        describe: (tensorrt.plugin, input descriptions, attributes) → output descriptions.
        launch: (tensorrt.plugin, input descriptions, dtype of the first input as Triton names it, attributes) → launch.
        check: raises ValueError for attributes that no kernel can be made with. Shapes are not known until run time:
            that they fit the attributes is for who writes the graph.
    """

    name: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, type]
    outputs: int
    describe: Callable[[Any, Sequence[Any], Attributes], tuple[Any, ...]]
    launch: Callable[[Any, Sequence[Any], str, Attributes], Launch]
    check: Callable[[Attributes], None] = lambda attributes: None

    @property
    def identifier(self) -> str:
        """``framecast::name``."""
        return f"{NAMESPACE}::{self.name}"


_defined: dict[str, int] = {}


def define(plugin: Plugin, capability: int) -> None:
    """Registers `plugin` with TensorRT for engines that run on ``sm_<capability>``; a second call does nothing.

    Raises:
        ImportError: no ``tensorrt`` with ``tensorrt.plugin`` is installed.
        ValueError: it is defined for another architecture already.
    """
    import tensorrt
    import tensorrt.plugin as trtp

    if plugin.identifier in _defined:
        if _defined[plugin.identifier] != capability:
            raise ValueError(
                f"capability: {plugin.identifier} is defined for sm_{_defined[plugin.identifier]} in this process "
                f"already, not for sm_{capability}."
            )
        return
    dtypes = {
        tensorrt.DataType.FLOAT: "fp32",
        tensorrt.DataType.HALF: "fp16",
        tensorrt.DataType.BF16: "bf16",
    }
    count = len(plugin.inputs)

    def describe(*values: Any, **attributes: Any) -> Any:
        named = dict(zip(plugin.attributes, values[count:], strict=False)) | attributes
        return plugin.describe(trtp, values[:count], named)

    def implement(*values: Any) -> tuple[str, str, Any, Any]:
        # (*inputs, *attributes, outputs, tactic)
        descriptions, given = values[:count], values[count:-2]
        attributes = dict(zip(plugin.attributes, given, strict=True))
        plugin.check(attributes)
        for name, description in zip(plugin.inputs, descriptions, strict=True):
            wanted = tensorrt.DataType.FLOAT if name in FLOAT32_INPUTS else descriptions[0].dtype
            if description.dtype != wanted:
                raise ValueError(f"{name}: {plugin.name} takes {wanted}, not {description.dtype}; cast it before.")
        launch = plugin.launch(trtp, descriptions, dtypes[descriptions[0].dtype], attributes)
        kernel = compile_kernel(launch.spec, capability)
        parameters = trtp.KernelLaunchParams()
        for axis, dimension in zip("xyz", launch.grid, strict=False):
            setattr(parameters, f"grid_{axis}", dimension)
        parameters.block_x = kernel.threads
        parameters.shared_mem = kernel.shared
        integers = trtp.SymIntExprs(len(launch.integers))
        for index, value in enumerate(launch.integers):
            integers[index] = trtp.SymInt32(value)
        return kernel.name, kernel.ptx, parameters, integers

    tensors = [_parameter(name, trtp.TensorDesc) for name in plugin.inputs]
    attributes = [_parameter(name, kind) for name, kind in plugin.attributes.items()]
    results: Any = tuple.__class_getitem__((trtp.TensorDesc,) * plugin.outputs)
    _sign(describe, [*tensors, *attributes], results)
    _sign(
        implement,
        [*tensors, *attributes, _parameter("outputs", results), _parameter("tactic", int)],
        tuple[str, str, trtp.KernelLaunchParams, trtp.SymIntExprs],
    )
    trtp.register(plugin.identifier)(describe)
    trtp.aot_impl(plugin.identifier)(implement)
    _defined[plugin.identifier] = capability


def product(dimensions: Sequence[Any]) -> Any:
    """Product of symbolic dimensions; there is at least one."""
    total = dimensions[0]
    for dimension in dimensions[1:]:
        total = total * dimension
    return total


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation)


def _sign(function: Any, parameters: list[inspect.Parameter], result: Any) -> None:
    """TensorRT reads the schema of a plugin off the signatures of its functions."""
    function.__signature__ = inspect.Signature(parameters, return_annotation=result)
