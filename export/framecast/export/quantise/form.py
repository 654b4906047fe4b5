"""Eight-bit number formats, and which layers of a graph may take them."""

from collections.abc import Iterator
from dataclasses import dataclass

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

NARROW = 8  # channels; a layer with fewer on one side carries the picture or the timestep itself
ENDS = ("conv_in", "conv_out")  # diffusers' names of a network's first and last layer, which cost most and gain least


@dataclass(frozen=True)
class Form:
    """A symmetric eight-bit format.

    Attributes:
        name: as in ``--precision``.
        type: of ONNX.
        largest: finite value.
        each_channel: a weight has a scale for every output channel. In 8-bit floats the exponent does that work.
        crest: largest `Range.crest` of an activation that it bears. Steps of peak ÷ 127 are a noise of 52.9 dB less the
            crest's 20 log₁₀ below the signal: 27 dB at 20.
    """

    name: str
    type: int
    largest: float
    each_channel: bool
    crest: float

    def stored(self, values: NDArray[np.float32], name: str) -> TensorProto:
        """`values`, already divided by their scale, as a tensor of this type."""
        kept = np.clip(values, -self.largest, self.largest)
        if self.type == TensorProto.INT8:
            return numpy_helper.from_array(np.rint(kept).astype(np.int8), name)
        raw = kept.astype(ml_dtypes.float8_e4m3fn).tobytes()
        return helper.make_tensor(name, self.type, values.shape, raw, raw=True)


INT8 = Form("int8", TensorProto.INT8, 127.0, True, 20.0)
FP8 = Form("fp8", TensorProto.FLOAT8E4M3FN, 448.0, False, float("inf"))
FORMS = {form.name: form for form in (INT8, FP8)}


@dataclass(frozen=True)
class Site:
    """A layer whose product may be computed in eight bits.

    Attributes:
        position: of the node in the graph.
        activation: name of its first input.
        weight: the constant of its second input.
        axis: of the weight's output channels.
    """

    position: int
    activation: str
    weight: TensorProto
    axis: int


def sites(graph: onnx.GraphProto) -> Iterator[Site]:
    """The convolutions and matrix products by a constant, without the ends of the network and narrow layers."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for position, node in enumerate(graph.node):
        if node.op_type not in ("Conv", "MatMul", "Gemm") or node.input[0] in constants:
            continue
        weight = constants.get(node.input[1])
        if weight is None or len(weight.dims) < 2 or weight.data_type not in (TensorProto.FLOAT, TensorProto.FLOAT16):
            continue
        if min(weight.dims[:2]) < NARROW or any(end in weight.name for end in ENDS):
            continue
        by_rows = node.op_type == "Conv" or (node.op_type == "Gemm" and _attribute(node, "transB"))
        yield Site(position, node.input[0], weight, 0 if by_rows else 1)


def fold_transposes(graph: onnx.GraphProto) -> None:
    """Turns the large weights that the graph transposes itself; quantisers look at what a product reads."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Transpose" and node.input[0] in constants and len(constants[node.input[0]].dims) == 2:
            turned = numpy_helper.to_array(constants[node.input[0]]).T
            graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(turned), node.output[0]))
            node.output[0] = ""
    kept = [node for node in graph.node if any(node.output)]
    del graph.node[:]
    graph.node.extend(kept)
    drop_unread(graph)


def drop_unread(graph: onnx.GraphProto) -> None:
    """Constants that nothing reads any more."""
    read = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _attribute(node: onnx.NodeProto, name: str) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == name), 0)
