"""A traced program that torch's ONNX exporter need not trace again.

Before it translates a program, the exporter has it decomposed into operators that it knows, and that traces everything
anew, for longer than the first time. In a UNet there is nothing to decompose but casts, which are one node in the place
of another: that takes milliseconds. Then it computes every node once more, on tensors without values, to see which
arguments are of other types than their operator's: the trace has noted what it wants to know.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import Graph, Node
from torch.onnx._internal.fx.passes import type_promotion

_Interpreter: Any = type_promotion._TypePromotionInterpreter
_compute = _Interpreter.run_node

_ASSERTIONS = (
    torch.ops.aten._assert_scalar.default,
    torch.ops.aten._assert_tensor_metadata.default,
)  # the exporter drops them; what they alone need goes with them

# What the exporter translates into more nodes than its parts have, which `rewrites` then do not know.
_BETTER_IN_PARTS = {torch.ops.aten.unflatten.int}


def undecomposed(program: ExportedProgram) -> ExportedProgram:
    """`program`, which the exporter has as it is where nothing in it needs more than a cast rewritten.

    Where it has no translation of an operator that torch composes of others, the export fails with
    `torch.onnx.OnnxExporterError`, and a new trace has to be exported as it is.
    """
    decompose: Callable[..., ExportedProgram] = program.run_decompositions

    def run_decompositions(table: Mapping[Any, Any] | None = None, *args: Any, **kwargs: Any) -> ExportedProgram:
        graph = program.graph_module.graph
        if table is None or not _plain(graph, table):
            return decompose(table, *args, **kwargs)
        _drop_assertions(graph)
        _spell_casts(graph)
        program.graph_module.recompile()
        return program

    program.run_decompositions = run_decompositions
    return program


def _plain(graph: Graph, table: Mapping[Any, Any]) -> bool:
    """Whether there is nothing to decompose, nothing is written in place, and no branch or loop has its own graph.

    An output that is a cast counts as well: the program knows it by its name.
    """
    if any(_is_cast(node) for node in graph.output_node().all_input_nodes):
        return False
    targets = {node.target for node in graph.nodes if node.op == "call_function"}
    operators = {target for target in targets if isinstance(target, torch._ops.OpOverload)}
    higher = any(isinstance(target, torch._ops.HigherOrderOperator) for target in targets)
    parts = operators & _BETTER_IN_PARTS
    return not (higher or parts) and not any(op in table or op._schema.is_mutable for op in operators)


def _is_cast(node: Node) -> bool:
    return getattr(node.target, "overloadpacket", None) is torch.ops.aten.to


def _drop_assertions(graph: Graph) -> None:
    for node in graph.nodes:
        if node.target in _ASSERTIONS:
            graph.erase_node(node)
    graph.eliminate_dead_code()


def _spell_casts(graph: Graph) -> None:
    """`to`, in all its forms, is a copy in another precision, or nothing."""
    for node in graph.nodes:
        if not _is_cast(node):
            continue
        (value, *_), wanted = node.args, node.meta["val"].dtype
        if value.meta["val"].dtype != wanted:
            with graph.inserting_before(node):
                spelled = graph.call_function(torch.ops.aten._to_copy.default, (value,), {"dtype": wanted})
            spelled.meta = dict(node.meta)
            value = spelled
        node.replace_all_uses_with(value)
        graph.erase_node(node)


@contextmanager
def types_as_noted() -> Iterator[None]:
    """Within, the exporter takes what a node gives from its trace; those that it changes are still computed."""

    def run_node(self: Any, node: Node) -> Any:
        if node.op != "call_function" or "val" not in node.meta:
            return _compute(self, node)
        with self._set_current_node(node):
            rule = type_promotion.get_type_promotion_rule(node, self.type_promotion_table)
            if rule is not None:
                self._maybe_promote_node(node, rule)
        return node.meta["val"]

    _Interpreter.run_node = run_node
    try:
        yield
    finally:
        _Interpreter.run_node = _compute
