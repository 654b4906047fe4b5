"""Q/DQ graphs for TensorRT: every quantised product gets pairs of QuantizeLinear and DequantizeLinear at its inputs.

As TensorRT wants it: symmetric, zero points of 0, biases and outputs left alone, so that it may fuse what follows.
Activations have one scale, the largest value seen in calibration. Where a few values tower over the rest, as in the
shortcuts of a UNet's residual blocks, eight evenly spaced bits would leave little of the rest: such layers stay.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from framecast.engines.engine import Array
from framecast.errors import InvalidRepository
from framecast.export.onnx_graph import save_onnx
from framecast.export.quantise.form import Form, Site, drop_unread, fold_transposes, sites
from framecast.export.quantise.ranges import Range, ranges

OPSET = 20  # from 19 on QuantizeLinear takes half precision and makes 8-bit floats
_LEAST = 2.0**-14  # the smallest normal half-precision number: a scale is never below


def quantise(path: Path, form: Form, samples: Sequence[Mapping[str, Array]]) -> int:
    """Rewrites the ONNX file at `path`, of opset 19 or newer, with Q/DQ pairs.

    Args:
        path: of a graph in single or half precision; what is not quantised stays in it.
        form: of the quantised products.
        samples: inputs of the graph that the scales are taken from.

    Returns:
        How many products are quantised; those whose inputs are less even than `form` bears are not.

    Raises:
        InvalidRepository: the graph has none that may be.
    """
    model = onnx.load(path)
    fold_transposes(model.graph)
    save_onnx(model, path)
    found = list(sites(model.graph))
    if not found:
        raise InvalidRepository(f"{path.name} has no layer that --precision {form.name} could quantise.")
    seen = ranges(path, [site.activation for site in found], samples)
    even = [site for site in found if seen[site.activation].crest <= form.crest]
    if not even:
        raise InvalidRepository(
            f"A few values tower over the rest in every layer of {path.name}; choose fp8 or fp16 in the place of "
            f"--precision {form.name}."
        )
    _Rewriter(model.graph, form, seen).rewrite(even)
    save_onnx(model, path)
    onnx.checker.check_model(str(path))
    return len(even)


class _Rewriter:
    def __init__(self, graph: onnx.GraphProto, form: Form, seen: Mapping[str, Range]) -> None:
        self._graph, self._form, self._seen = graph, form, seen
        self._activations: dict[str, str] = {}
        self._weights: dict[tuple[str, int], str] = {}
        self._new: list[onnx.NodeProto] = []

    def rewrite(self, found: Sequence[Site]) -> None:
        """Puts the pairs in, and takes out constants that nothing reads any more."""
        before: dict[int, list[onnx.NodeProto]] = {}
        for site in found:
            before[site.position] = self._new = []
            node = self._graph.node[site.position]
            node.input[0], node.input[1] = self._activation(site), self._weight(site)
        nodes: list[onnx.NodeProto] = []
        for position, node in enumerate(self._graph.node):
            nodes += [*before.get(position, ()), node]
        del self._graph.node[:]
        self._graph.node.extend(nodes)
        drop_unread(self._graph)

    def _activation(self, site: Site) -> str:
        name, kind = site.activation, site.weight.data_type
        if name not in self._activations:
            scale = np.array(max(self._seen[name].peak / self._form.largest, _LEAST))
            scale_name, zero = self._scale(name, scale, kind), self._zero(f"{name}__zero", ())
            self._new.append(helper.make_node("QuantizeLinear", [name, scale_name, zero], [f"{name}__q"]))
            self._new.append(helper.make_node("DequantizeLinear", [f"{name}__q", scale_name, zero], [f"{name}__dq"]))
            self._activations[name] = f"{name}__dq"
        return self._activations[name]

    def _weight(self, site: Site) -> str:
        key = (site.weight.name, site.axis)
        if key not in self._weights:
            values = numpy_helper.to_array(site.weight).astype(np.float32)
            self._weights[key] = self._constant(f"{key[0]}__{key[1]}", values, site.axis, site.weight.data_type)
        return self._weights[key]

    def _constant(self, name: str, values: NDArray[np.float32], axis: int, kind: int) -> str:
        """A quantised weight and the node that reads it."""
        others = tuple(i for i in range(values.ndim) if i != axis) if self._form.each_channel else None
        scale = np.maximum(np.abs(values).max(axis=others) / self._form.largest, _LEAST)
        # The scale as it is stored, half precision included, is what the weight is divided by.
        scale = scale.astype(helper.tensor_dtype_to_np_dtype(kind)).astype(np.float32)
        spread = scale.reshape([-1 if i == axis else 1 for i in range(values.ndim)]) if scale.ndim else scale
        self._graph.initializer.append(self._form.stored(values / spread, f"{name}__q"))
        inputs = [f"{name}__q", self._scale(name, scale, kind), self._zero(f"{name}__zero", scale.shape)]
        node = helper.make_node("DequantizeLinear", inputs, [f"{name}__dq"])
        if scale.ndim:
            node.attribute.append(helper.make_attribute("axis", axis))
        self._new.append(node)
        return f"{name}__dq"

    def _scale(self, name: str, scale: NDArray[Any], kind: int) -> str:
        array = scale.astype(helper.tensor_dtype_to_np_dtype(kind))
        self._graph.initializer.append(numpy_helper.from_array(array, f"{name}__scale"))
        return f"{name}__scale"

    def _zero(self, name: str, shape: tuple[int, ...]) -> str:
        size = int(np.prod(shape, dtype=np.int64))
        self._graph.initializer.append(helper.make_tensor(name, self._form.type, shape, bytes(size), raw=True))
        return name
