"""An ONNX file from outside: the digest of all its bytes, and the shapes of its inputs."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from framecast.engines.manifest import sha256
from framecast.export.tensorrt.errors import EngineBuildError


def onnx_digest(path: Path) -> str:
    """SHA-256 over the file and every file of external data it names, whatever they are called.

    Raises:
        EngineBuildError: it is no ONNX file, or external data is missing.
    """
    model = _load(path)
    digest = hashlib.sha256(sha256(path).encode())
    for location in sorted({location for tensor in _tensors(model.graph) for location in _locations(tensor)}):
        data = path.parent / location
        if not data.is_file():
            raise EngineBuildError(f"{path.name} keeps weights in {location}, which is not beside it.")
        digest.update(f"\n{location} {sha256(data)}".encode())
    return digest.hexdigest()


def onnx_inputs(path: Path) -> dict[str, tuple[int, ...]]:
    """Input name → shape, -1 for a dynamic axis. Raises EngineBuildError."""
    model = _load(path)
    weights = {tensor.name for tensor in model.graph.initializer}
    return {
        value.name: tuple(
            axis.dim_value if axis.HasField("dim_value") else -1 for axis in value.type.tensor_type.shape.dim
        )
        for value in model.graph.input
        if value.name not in weights
    }


def _load(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, OSError) as error:
        raise EngineBuildError(f"{path.name} cannot be read as ONNX: {error}.") from error
    if not model.graph.node:
        raise EngineBuildError(f"{path.name} cannot be read as ONNX: it holds no nodes.")
    return model


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Weights and constants, those of subgraphs too."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for subgraph in (attribute.g, *attribute.graphs):
                yield from _tensors(subgraph)


def _locations(tensor: onnx.TensorProto) -> Iterator[str]:
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        yield from (entry.value for entry in tensor.external_data if entry.key == "location")
