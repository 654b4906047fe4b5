"""Enough of a ``tensorrt`` module, in Python, to run NVIDIA's own ``tensorrt.plugin`` sources without its libraries.

The sources come from the installed wheel (tensorrt_cu13_bindings); the native classes they inherit from are empty here,
and a dimension is a number that refuses to be read where a real one would be unknown until run time.
"""

import importlib.util
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any


class DataType(Enum):
    FLOAT, HALF, BF16, INT8, INT32, INT64, UINT8, BOOL = range(8)


class DimensionOperation(Enum):
    SUM, SUB, PROD, FLOOR_DIV, CEIL_DIV, EQUAL, LESS, MAX, MIN = range(9)


class IDimensionExpr:
    def __init__(self, value: int, constant: bool) -> None:
        self.value, self.constant = value, constant

    def is_constant(self) -> bool:
        return self.constant

    def get_constant_value(self) -> int:
        if not self.constant:
            raise AssertionError("a dimension that is unknown at build time was read")
        return self.value


class ExprBuilder:
    def constant(self, value: int) -> IDimensionExpr:
        return IDimensionExpr(value, True)

    def operation(self, operation: DimensionOperation, a: IDimensionExpr, b: IDimensionExpr) -> IDimensionExpr:
        results = {
            DimensionOperation.SUM: lambda x, y: x + y,
            DimensionOperation.SUB: lambda x, y: x - y,
            DimensionOperation.PROD: lambda x, y: x * y,
            DimensionOperation.FLOOR_DIV: lambda x, y: x // y,
            DimensionOperation.CEIL_DIV: lambda x, y: -(-x // y),
        }
        return IDimensionExpr(results[operation](a.value, b.value), a.constant and b.constant)


class Registry:
    def __init__(self) -> None:
        self.creators: dict[tuple[str, str], Any] = {}

    def register_creator(self, creator: Any, namespace: str) -> None:
        self.creators[creator.plugin_namespace, creator.name] = creator

    def get_creator(self, name: str, version: str, namespace: str) -> Any:
        return self.creators.get((namespace, name))


class PluginTensorDesc:
    def __init__(self, kind: DataType = DataType.FLOAT) -> None:
        self.type, self.format, self.scale, self.dims = kind, "LINEAR", 1.0, ()


class DynamicPluginTensorDesc:
    def __init__(self, kind: DataType) -> None:
        self.desc, self.opt, self.min, self.max = PluginTensorDesc(kind), (), (), ()


class Dims(tuple):  # type: ignore[type-arg]
    MAX_DIMS = 8


def module() -> ModuleType:
    """A new ``tensorrt``, without its ``plugin``."""
    trt: Any = ModuleType("tensorrt")
    empty = (
        "ITensor IPluginV3 IPluginV3QuickCore IPluginV3QuickBuild IPluginV3QuickRuntime IPluginV3QuickAOTBuild "
        "IPluginCreatorV3Quick ISymExpr"
    )
    for name in empty.split():
        setattr(trt, name, type(name, (), {}))
    for name, members in {
        "PluginFieldType": "INT8 INT16 INT32 INT64 FLOAT16 FLOAT32 FLOAT64 CHAR UNKNOWN",
        "PluginArgType": "INT",
        "PluginArgDataType": "INT8 INT16 INT32",
        "TensorFormat": "LINEAR",
        "TensorRTPhase": "BUILD",
        "QuickPluginCreationRequest": "STRICT_AOT STRICT_JIT PREFER_AOT PREFER_JIT",
    }.items():
        setattr(trt, name, Enum(name, members))
    trt.PluginField = type("PluginField", (), {"__init__": lambda self, name, data, kind: setattr(self, "name", name)})
    trt.PluginFieldCollection = list
    trt.Logger = type("Logger", (), {"WARNING": 0, "log": lambda self, level, text: None})
    trt.DataType, trt.DimensionOperation, trt.IDimensionExpr = DataType, DimensionOperation, IDimensionExpr
    trt.float32, trt.int32, trt.Dims = DataType.FLOAT, DataType.INT32, Dims
    trt.PluginTensorDesc, trt.DynamicPluginTensorDesc = PluginTensorDesc, DynamicPluginTensorDesc
    trt.DimsExprs = lambda length: [None] * length
    registry = Registry()
    trt.get_plugin_registry = lambda: registry
    return trt


@contextmanager
def installed() -> Iterator[tuple[Any, Any]]:
    """(tensorrt, tensorrt.plugin) in sys.modules: the first ours, the second NVIDIA's."""
    bindings = importlib.util.find_spec("tensorrt_bindings")  # found, never imported: its native half needs libraries
    if bindings is None or not bindings.submodule_search_locations:
        raise ModuleNotFoundError("tensorrt_cu13_bindings is not installed; it is in the extra `dev`")
    source = Path(bindings.submodule_search_locations[0]) / "plugin" / "__init__.py"
    before = {name: value for name, value in sys.modules.items() if name.split(".")[0] == "tensorrt"}
    for name in before:
        del sys.modules[name]
    trt: Any = module()
    sys.modules["tensorrt"] = trt
    try:
        location = importlib.util.spec_from_file_location(
            "tensorrt.plugin", source, submodule_search_locations=[str(source.parent)]
        )
        if location is None or location.loader is None:
            raise ImportError(f"{source} cannot be imported")
        trt.plugin = importlib.util.module_from_spec(location)
        sys.modules["tensorrt.plugin"] = trt.plugin
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the sources themselves, where nobody has compiled them before
            location.loader.exec_module(trt.plugin)
        yield trt, trt.plugin
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "tensorrt"]:
            del sys.modules[name]
        sys.modules.update(before)
