"""What exporting one graph gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from framecast.engines.engine import Engine
from framecast.engines.load import load_engine
from framecast.export.torch_graph import TorchGraph

Check = Callable[[Engine], Mapping[str, float]]


@dataclass(frozen=True)
class Exported:
    """A graph that was written and found equal to its module.

    Attributes:
        path: of the ONNX file.
        opset: of the file.
        graph: the module, as it was traced.
        exact: the same module in single precision.
        check: compares any engine of the graph with the single-precision module: figures as in
            `framecast.export.parity`, or ParityError.
        engine: ONNX Runtime's, loaded from the file; None where this machine cannot compute its precision.
        parity: what `check` says of `engine`.
    """

    path: Path
    opset: int
    graph: TorchGraph
    exact: nn.Module
    check: Check
    engine: Engine | None
    parity: Mapping[str, float]


def checked(
    path: Path, opset: int, graph: TorchGraph, exact: nn.Module, check: Check, *, on_cpu: bool = True
) -> Exported:
    """The graph at `path`, compared with its module where the CPU can compute it. Raises ParityError."""
    engine = load_engine("onnxruntime", path) if on_cpu else None
    return Exported(path, opset, graph, exact, check, engine, check(engine) if engine else {})
