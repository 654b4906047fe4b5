"""Exact rewrites of a graph into what ONNX Runtime computes faster; torch exports what it was written as.

Together they take a seventh off a denoise step of the storybook on two cores (docs/log.md, 2026-11-25).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

OPSET = 23  # and later: graphs that ONNX Runtime alone reads; compilers take earlier ones
HEADS_APART = [0, 2, 1, 3]  # [batch, length, heads, size] ↔ [batch, heads, length, size]


def rewrite(model: onnx.ModelProto) -> None:
    """Changes `model`, of opset `OPSET` or later and without subgraphs, in place; what it does not know stays.

    - GroupNormalization is a function of fifteen nodes to ONNX Runtime. InstanceNormalization is one kernel, and a
      group is an instance once its channels lie side by side.
    - A convolution over time alone, [T, 1, 1], has no blocked kernel; [T, 1] over frames and pixels has.
    - Attention takes heads side by side, as the projections leave them: no transposes before and after.
    """
    graph = _Graph(model.graph)
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        rewriter = _REWRITERS.get(node.op_type)
        nodes += (rewriter(graph, node) if rewriter else None) or [node]
    used, wanted = _used(nodes, {output.name for output in model.graph.output})
    constants = [each for each in model.graph.initializer if each.name in wanted]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(used)
    model.graph.initializer.extend(constants)


class _Graph:
    """What a rewriter looks up, and the constants it adds."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self._constants = {each.name: each for each in graph.initializer}
        self._makers = {output: node for node in graph.node for output in node.output}
        self._takers: dict[str, list[NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self._takers.setdefault(name, []).append(node)

    def value(self, name: str) -> NDArray[Any] | None:
        """Of a constant that lies in the graph's own file."""
        found = self._constants.get(name)
        if found is None or found.data_location == onnx.TensorProto.EXTERNAL:
            return None
        return numpy_helper.to_array(found)

    def constant(self, name: str, value: Any) -> str:
        """Adds one, and returns its name."""
        self._graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def maker(self, name: str, kind: str) -> NodeProto | None:
        """The node of this kind that makes a tensor."""
        node = self._makers.get(name)
        return node if node is not None and node.op_type == kind else None

    def takers(self, name: str) -> Sequence[NodeProto]:
        """The nodes that read a tensor."""
        return self._takers.get(name, [])


def _group_norm(graph: _Graph, node: NodeProto) -> list[NodeProto] | None:
    data, scale, bias = node.input[0], graph.value(node.input[1]), graph.value(node.input[2])
    if scale is None or bias is None:
        return None
    name, groups, channels = node.output[0], int(_attributes(node)["num_groups"]), len(scale)
    rows = graph.constant(f"{name}/rows", np.array([0, groups, -1]))
    columns = graph.constant(f"{name}/columns", np.array([0, channels, -1]))
    one = graph.constant(f"{name}/one", np.ones(groups, scale.dtype))
    zero = graph.constant(f"{name}/zero", np.zeros(groups, scale.dtype))
    times = graph.constant(f"{name}/scale", scale[:, None])
    plus = graph.constant(f"{name}/bias", bias[:, None])
    epsilon = _attributes(node).get("epsilon", 1e-5)
    return list(
        _chain(
            name,
            data,
            ("Reshape", [rows], {}),
            ("InstanceNormalization", [one, zero], {"epsilon": epsilon}),
            ("Reshape", [columns], {}),
            ("Mul", [times], {}),
            ("Add", [plus], {}),
            shape_of=data,
        )
    )


def _convolution(graph: _Graph, node: NodeProto) -> list[NodeProto] | None:
    weight, found = graph.value(node.input[1]), _attributes(node)
    if (
        weight is None
        or weight.ndim != 5
        or weight.shape[3:] != (1, 1)
        or found.get("auto_pad", b"NOTSET") != b"NOTSET"
    ):
        return None
    strides, pads = list(found.get("strides", [1, 1, 1])), list(found.get("pads", [0] * 6))
    if strides != [1, 1, 1] or pads[1:3] != [0, 0] or pads[4:] != [0, 0] or pads[0] + pads[3] + 1 != weight.shape[2]:
        return None  # the shape changes
    name, data = node.output[0], node.input[0]
    flat = graph.constant(f"{name}/flat", np.array([0, 0, 0, -1]))
    kernel = graph.constant(f"{name}/weight", weight[..., 0])
    changed = {**found, "strides": [1, 1], "pads": [pads[0], 0, pads[3], 0], "kernel_shape": [weight.shape[2], 1]}
    changed["dilations"] = [1, 1]
    inside = list(_chain(f"{name}/2d", data, ("Reshape", [flat], {}), ("Conv", [kernel, *node.input[2:]], changed)))
    kept = graph.constant(f"{name}/kept", np.array([0, 0]))  # batch, and channels as they are now
    return [
        *inside,
        helper.make_node("Shape", [data], [f"{name}/tail"], start=2),
        helper.make_node("Concat", [kept, f"{name}/tail"], [f"{name}/shape"], axis=0),
        helper.make_node("Reshape", [f"{name}/2d", f"{name}/shape"], [name]),
    ]


def _attention(graph: _Graph, node: NodeProto) -> list[NodeProto] | None:
    if len(node.input) != 3 or len(node.output) != 1:
        return None
    apart = [graph.maker(name, "Transpose") for name in node.input]
    split = [each and graph.maker(each.input[0], "Reshape") for each in apart]
    together = graph.takers(node.output[0])
    heads = [each and _heads(graph, each) for each in split]
    transposed = [each for each in (*apart, *together) if each and each.op_type == "Transpose"]
    if not all(heads) or len(together) != 1 or len(transposed) != 4:
        return None
    if any(list(_attributes(each)["perm"]) != HEADS_APART for each in transposed):
        return None
    # The output keeps the name of its transpose, whose readers only flatten it.
    name = together[0].output[0]
    readers = graph.takers(name)
    if any(reader.op_type != "Reshape" or reader.input[0] != name for reader in readers):
        return None
    flat = f"{name}/flat"
    for reader in readers:
        reader.input[0] = flat
    counts = {"q_num_heads": heads[0], "kv_num_heads": heads[1]}
    sides = [each.input[0] for each in split if each]
    return [helper.make_node("Attention", sides, [flat], **{**_attributes(node), **counts})]


_REWRITERS = {"GroupNormalization": _group_norm, "Conv": _convolution, "Attention": _attention}


def _heads(graph: _Graph, reshape: NodeProto) -> int:
    """Of a reshape to [batch, length, heads, size]; 0 where they are not constant."""
    shape = graph.value(reshape.input[1])
    if shape is not None:
        return int(shape[2]) if len(shape) == 4 else 0
    parts = graph.maker(reshape.input[1], "Concat")
    if parts is None or len(parts.input) != 4:
        return 0
    heads = graph.value(parts.input[2])
    return int(heads[0]) if heads is not None and heads.shape == (1,) else 0


def _chain(
    name: str, data: str, *links: tuple[str, list[str], dict[str, Any]], shape_of: str | None = None
) -> Iterator[NodeProto]:
    """Nodes one after the other, from `data` to `name`, and at the end back to the shape of another tensor."""
    for index, (kind, more, attributes) in enumerate(links):
        last = index == len(links) - 1 and shape_of is None
        out = name if last else f"{name}/{index}"
        yield helper.make_node(kind, [data, *more], [out], **attributes)
        data = out
    if shape_of is not None:
        yield helper.make_node("Shape", [shape_of], [f"{name}/shape"])
        yield helper.make_node("Reshape", [data, f"{name}/shape"], [name])


def _attributes(node: NodeProto) -> dict[str, Any]:
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def _used(nodes: list[NodeProto], wanted: set[str]) -> tuple[list[NodeProto], set[str]]:
    """The nodes whose results somebody reads, for ONNX Runtime would compute all; and the names that are read."""
    kept = []
    for node in reversed(nodes):
        if any(output in wanted for output in node.output):
            wanted |= set(node.input)
            kept.append(node)
    return kept[::-1], wanted
