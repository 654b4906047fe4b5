"""A torch module as an ONNX file: every dynamic axis named, nothing in it that only a debugger reads."""

import contextlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

_repeat_interleave = torch.Tensor.repeat_interleave


def export_onnx(
    module: nn.Module,
    inputs: Mapping[str, Any],
    dynamic: Mapping[str, Any],
    outputs: Sequence[str],
    path: Path,
    *,
    opset: int,
    input_names: Sequence[str] | None = None,
    symbolic: bool = False,
) -> None:
    """Writes `module` to `path`.

    Args:
        module: in eval mode.
        inputs: sample arguments by name; no dynamic axis may be 1 or equal another, or it would be taken as fixed.
        dynamic: for each argument its dynamic axes, as `torch.export` takes them.
        outputs: names of the outputs.
        path: of the ONNX file.
        opset: of the ONNX file.
        input_names: names of the inputs, flattened; the argument names by default.
        symbolic: `dynamic` is made of `Dim` objects whose relations the module keeps. It is then traced once, and
            what the module decides on a size (diffusers compares batch · frames with 64) does not narrow the axes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with torch.no_grad(), _exact_repeats(), _quiet():
        program = _trace(module, inputs, dynamic) if symbolic else module
        torch.onnx.export(
            program,
            (),
            path,
            kwargs=None if symbolic else dict(inputs),
            input_names=list(input_names or inputs),
            output_names=list(outputs),
            dynamic_shapes=dict(dynamic),
            opset_version=opset,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    _strip(path)


def _trace(module: nn.Module, inputs: Mapping[str, Any], dynamic: Mapping[str, Any]) -> torch.export.ExportedProgram:
    return torch.export.export(
        module,
        (),
        dict(inputs),
        dynamic_shapes=dict(dynamic),
        strict=False,
        prefer_deferred_runtime_asserts_over_guards=True,
    )


@contextlib.contextmanager
def _exact_repeats() -> Iterator[None]:
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


def _strip(path: Path) -> None:
    """Drops per-node metadata (2–5 MB) and intermediate shapes, which quantisers trip over."""
    model = onnx.load(path)
    graph = model.graph
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    annotated: tuple[Any, ...] = (*graph.input, *graph.output, *graph.initializer, graph, model)
    for item in annotated:
        del item.metadata_props[:]
    del graph.value_info[:]
    onnx.save(model, path)
