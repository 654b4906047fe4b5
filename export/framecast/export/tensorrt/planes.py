"""The VAE decoder's graph as TensorRT and Triton's batcher want it.

TensorRT takes uint8 only where it leaves the graph, and computes every output of a plan whether it is asked for or
not. Triton batches a model only when every output's first axis is the batch, and a VAE that folds frames gives several
of them for one latent. So the casts go last, the RGB output goes, and the frames of a latent may get an axis of their
own.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from framecast.export.tensorrt.errors import EngineBuildError

PLANES = ("y", "u", "v")
_SHAPE_ONLY = ("Squeeze", "Unsqueeze", "Reshape", "Expand", "Identity", "Flatten", "Transpose")


def write_plane_graph(source: Path, target: Path, frames: int | None = None) -> None:
    """Writes the decoder's graph with the outputs y, u and v alone, each cast to uint8 by its last node.

    Args:
        source: the exported decoder.
        target: file to write.
        frames: of one latent; the planes are then [N, frames, H, W] instead of [N · frames, H, W].

    Raises:
        EngineBuildError: `source` is not such a graph.
    """
    model = onnx.load(source)
    graph = model.graph
    producers = {output: node for node in graph.node for output in node.output}
    for name in PLANES:
        cast = _cast_before(producers, name, source)
        for node in graph.node:  # what came after the cast now works on floats
            node.input[:] = [cast.input[0] if read == cast.output[0] else read for read in node.input]
        graph.node.remove(cast)
        last = cast.input[0] if cast.output[0] == name else f"{name}_float"
        if cast.output[0] != name:
            producers[name].output[:] = [last]
        if frames is not None:
            last = _framed(graph, name, last, frames)
        graph.node.append(helper.make_node("Cast", [last], [name], name=f"{name}_uint8", to=TensorProto.UINT8))
    axes: list[str | int] = ["frames", "rows", "columns"] if frames is None else ["batch", frames, "rows", "columns"]
    half = [f"half_{axis}" if axis in ("rows", "columns") else axis for axis in axes]
    outputs = [helper.make_tensor_value_info(name, TensorProto.UINT8, axes if name == "y" else half) for name in PLANES]
    del graph.output[:]
    graph.output.extend(outputs)
    _drop_unused(graph)
    onnx.checker.check_model(model)
    target.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, target)


def _cast_before(producers: dict[str, onnx.NodeProto], name: str, source: Path) -> onnx.NodeProto:
    """The cast to uint8 that the output comes from, nothing but changes of shape in between."""
    node = producers.get(name)
    while node is not None and node.op_type in _SHAPE_ONLY:
        node = producers.get(node.input[0])
    if node is None or node.op_type != "Cast" or helper.get_node_attr_value(node, "to") != TensorProto.UINT8:
        raise EngineBuildError(f"{source.name} is no VAE decoder: its output {name} does not end in a cast to uint8.")
    return node


def _framed(graph: onnx.GraphProto, name: str, flat: str, frames: int) -> str:
    """[N · frames, H, W] → [N, frames, H, W], for whatever H and W are."""
    axis, shape = f"{name}_frame_axis", f"{name}_frame_shape"
    graph.initializer.append(numpy_helper.from_array(np.array([1]), axis))
    graph.initializer.append(numpy_helper.from_array(np.array([-1, frames, 0, 0]), shape))  # 0 keeps the axis
    graph.node.append(helper.make_node("Unsqueeze", [flat, axis], [f"{name}_open"], name=f"{name}_open"))
    graph.node.append(helper.make_node("Reshape", [f"{name}_open", shape], [f"{name}_framed"], name=f"{name}_framed"))
    return f"{name}_framed"


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Nodes that no output needs any more."""
    needed = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
