"""Engines that are compiled ahead of time from what was exported, by the name that ``--engine`` gives them.

To add one:

1. a module with ``compiler(options, console) -> Compiler``, named in `COMPILERS` below. What cannot work on this
   machine or with these options is refused there, before anything is exported.
2. what it makes, opened by `framecast.engines.load`, and refused there by `require_machine` where it cannot run.
"""

import importlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console

from framecast.errors import InvalidRepository
from framecast.export.options import ExportOptions

if TYPE_CHECKING:  # needs torch, and what is refused here is refused before torch is loaded
    from framecast.export.exported import Exported
    from framecast.export.tensorrt.profiles import ServingLimits

ONNXRUNTIME = "onnxruntime"
COMPILERS: Mapping[str, str] = {  # --engine → module:function
    "aoti": "framecast.export.aoti:compiler",
    "tensorrt": "framecast.export.tensorrt.compiler:data_centre",
    "tensorrt-rtx": "framecast.export.tensorrt.compiler:rtx",
}


@dataclass(frozen=True)
class Compiled:
    """An engine's file, which takes the place of a graph's ONNX file.

    Attributes:
        path: in the folder of the ONNX file.
        engine: its runtime, as `framecast.engines.load` knows it.
        build: what it was made from and how, for the manifest: JSON.
    """

    path: Path
    engine: str
    build: Mapping[str, Any] = field(default_factory=dict)


class Compiler(Protocol):
    """Compiles graphs once all of them are exported and checked. The others stay with ONNX Runtime."""

    @property
    def graphs(self) -> Collection[str]:
        """Names of the graphs to compile."""
        ...

    @property
    def opset(self) -> int:
        """Of their ONNX files."""
        ...

    @property
    def identity(self) -> Mapping[str, str]:
        """Versions and target: a repository compiled under others is exported again."""
        ...

    def compile(self, name: str, exported: "Exported", limits: "ServingLimits") -> Compiled:
        """The engine of one graph.

        Args:
            name: of the graph.
            exported: its ONNX file; and its torch module as it was traced, for an engine that starts from there.
            limits: shapes that will be served.
        """
        ...


def compiler_for(options: ExportOptions, console: Console | None = None) -> Compiler | None:
    """The compiler of ``options.engine``, which shows its progress on `console`; None for ONNX Runtime.

    Raises:
        FramecastError: no such engine, or it cannot compile here or with these options.
    """
    if options.engine not in (ONNXRUNTIME, *COMPILERS):
        raise InvalidRepository(
            f"--engine is {options.engine!r}; choose one of {', '.join((ONNXRUNTIME, *COMPILERS))}."
        )
    if not options.engine.startswith("tensorrt") and (names := options.plan.changed()):
        raise InvalidRepository(f"--engine {options.engine} has no option {names[0]}; it is one of TensorRT plans.")
    if options.engine == ONNXRUNTIME:
        if options.compile:
            raise InvalidRepository("--engine onnxruntime compiles nothing; leave --compile out.")
        return None
    module, _, function = COMPILERS[options.engine].partition(":")
    make: Callable[[ExportOptions, Console | None], Compiler] = getattr(importlib.import_module(module), function)
    return make(options, console)
