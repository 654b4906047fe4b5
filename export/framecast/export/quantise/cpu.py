"""Eight-bit graphs for ONNX Runtime on the CPU, by its own quantiser.

Convolutions gain most where whole layers stay in eight bits, inputs, weights, biases and outputs (static); matrix
products of a UNet keep more of the picture when each input is scaled as it comes (dynamic).
"""

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

from framecast.engines.engine import Array
from framecast.errors import InvalidRepository
from framecast.export.onnx_graph import save_onnx, weights_beside
from framecast.export.quantise.form import fold_transposes, sites

# ONNX cannot infer the type of everything in a UNet. Constants of the layers that are taken are float (`sites`).
_TYPES = {"DefaultTensorType": onnx.TensorProto.FLOAT}
STATIC_OPSET = 18  # whose convolutions ONNX Runtime fuses with the most around them


def quantise_static(path: Path, samples: Sequence[Mapping[str, Array]]) -> int:
    """Rewrites the ONNX file at `path` with static int8 convolutions and products.

    Args:
        path: of a graph in single precision.
        samples: inputs of the graph that the scales are taken from.

    Returns:
        How many layers are quantised.

    Raises:
        InvalidRepository: the graph has none that may be.
    """
    names = _names(path, ("Conv", "MatMul", "Gemm"))

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # untyped
        def __init__(self) -> None:
            self._left = iter(samples)

        def get_next(self) -> Mapping[str, Array] | None:
            return next(self._left, None)

    with _rewritten(path) as target:
        quantize_static(
            path,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=names,
            extra_options=dict(_TYPES),
        )
    return len(names)


def quantise_dynamic(path: Path) -> int:
    """Rewrites the ONNX file at `path` with dynamic int8 matrix products. Returns and raises as `quantise_static`."""
    names = _names(path, ("MatMul", "Gemm"))
    with _rewritten(path) as target:
        quantize_dynamic(
            path,
            target,
            op_types_to_quantize=["MatMul", "Gemm"],  # others it would take fail at opset 23
            weight_type=QuantType.QInt8,
            per_channel=True,
            nodes_to_quantize=names,
            use_external_data_format=weights_beside(path).is_file(),
            extra_options=dict(_TYPES),
        )
    return len(names)


def _names(path: Path, operators: Sequence[str]) -> list[str]:
    """Of the nodes to quantise; those without a name are given one in the file."""
    model = onnx.load(path)
    fold_transposes(model.graph)
    nodes = model.graph.node
    for position, node in enumerate(nodes):
        node.name = node.name or f"{node.op_type}_{position}"
    save_onnx(model, path)
    names = [nodes[site.position].name for site in sites(model.graph) if nodes[site.position].op_type in operators]
    if not names:
        raise InvalidRepository(f"{path.name} has no layer that --precision int8 could quantise.")
    return names


@contextmanager
def _rewritten(path: Path) -> Iterator[Path]:
    """A file to write, which then takes the place of `path`. The quantiser's advice on preparing it stays here."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as folder:
            target = Path(folder) / path.name
            yield target
            save_onnx(onnx.load(target), path)
    finally:
        root.setLevel(level)
