"""A torch module as an ONNX file: every dynamic axis named, nothing in it that only a debugger reads."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import onnx_ir
import torch
from torch import Tensor

from framecast.export.rewrites import OPSET, rewrite
from framecast.export.simplify import simplify
from framecast.export.torch_graph import TorchGraph
from framecast.export.undecomposed import types_as_noted, undecomposed

_repeat_interleave = torch.Tensor.repeat_interleave


INLINE_BYTES = 1_900_000_000  # protobuf ends at 2 GiB: more weights than this go into a file beside the graph


def export_onnx(graph: TorchGraph, path: Path, *, opset: int) -> None:
    """Writes `graph` to the ONNX file `path`, and weights of more than `INLINE_BYTES` to `weights_beside` it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with torch.no_grad(), exact_repeats(), types_as_noted(), _quiet():
        model = _translated(graph, opset)
        simplify(model)
    weights = (value.const_value for value in model.graph.initializers.values())
    if sum(tensor.nbytes for tensor in weights if tensor is not None) > INLINE_BYTES:
        model = onnx_ir.external_data.unload_from_model(
            model, path.parent, weights_beside(path).name, size_threshold_bytes=1024
        )
    proto = onnx_ir.to_proto(model)
    _strip(proto)
    if opset >= OPSET:
        rewrite(proto)
    onnx.save(proto, path)


def _translated(graph: TorchGraph, opset: int) -> onnx_ir.Model:
    """`graph` in ONNX operators, as torch's exporter translates them one by one."""

    def translate(module: torch.nn.Module | torch.export.ExportedProgram) -> onnx_ir.Model:
        program = torch.onnx.export(
            module,
            (),
            kwargs=None if graph.symbolic else dict(graph.inputs),
            input_names=list(graph.input_names or graph.inputs),
            output_names=list(graph.outputs),
            dynamic_shapes=dict(graph.dynamic),
            opset_version=opset,
            dynamo=True,
            verbose=False,
            optimize=False,
        )
        return program.model  # type: ignore[union-attr]  # None only of the older exporter

    if not graph.symbolic:
        return translate(graph.module)
    try:
        return translate(undecomposed(graph.program()))
    except torch.onnx.OnnxExporterError:  # an operator that it knows by its parts only
        return translate(graph.program())


def save_onnx(model: onnx.ModelProto, path: Path) -> None:
    """Writes a changed graph, its weights all loaded, as `export_onnx` does: in one file or with weights beside it."""
    weights_beside(path).unlink(missing_ok=True)  # onnx appends
    large = sum(len(tensor.raw_data) for tensor in model.graph.initializer) > INLINE_BYTES
    onnx.save(model, path, save_as_external_data=large, location=weights_beside(path).name)


def weights_beside(path: Path) -> Path:
    """The file of external data of the ONNX file at `path`, which names it relative to itself."""
    return path.with_name(f"{path.name}.data")


@contextlib.contextmanager
def exact_repeats() -> Iterator[None]:
    """Spells `repeat_interleave` out while exporting.

    onnxscript 0.7 puts a symbolic repeat on the wrong axis: a batch of one works, larger ones fail, and a batch
    equal to the number of frames silently gives a wrong shape.
    """

    def spelled_out(self: Tensor, repeats: Any, dim: int | None = None, *, output_size: int | None = None) -> Tensor:
        if not isinstance(repeats, (int, torch.SymInt)):
            return _repeat_interleave(self, repeats, dim, output_size=output_size)
        if dim is None:
            self, dim = self.reshape(-1), 0
        dim %= self.dim()
        shape = list(self.shape)
        spread = self.unsqueeze(dim + 1).expand(*shape[: dim + 1], repeats, *shape[dim + 1 :])
        return spread.reshape(*shape[:dim], shape[dim] * repeats, *shape[dim + 1 :])

    torch.Tensor.repeat_interleave = spelled_out  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        torch.Tensor.repeat_interleave = _repeat_interleave  # type: ignore[method-assign]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's notes on its own progress and deprecations are not ours to pass on."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "torch.export")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _strip(model: onnx.ModelProto) -> None:
    """Drops per-node metadata (2–5 MB) and intermediate shapes, which quantisers trip over."""
    graph = model.graph
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    annotated: tuple[Any, ...] = (*graph.input, *graph.output, *graph.initializer, graph, model)
    for item in annotated:
        del item.metadata_props[:]
    del graph.value_info[:]
