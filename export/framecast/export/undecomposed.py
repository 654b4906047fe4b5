"""A traced program that torch's ONNX exporter need not trace again.

Before it translates a program, the exporter has it decomposed into operators that it knows, and that traces everything
anew, for longer than the first time. In a UNet there is nothing to decompose but casts, which are one node in the place
of another: that takes milliseconds.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import Graph

_ASSERTIONS = (
    torch.ops.aten._assert_scalar.default,
    torch.ops.aten._assert_tensor_metadata.default,
)  # the exporter drops them; what they alone need goes with them


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
    """Whether nothing is written in place, nothing is in the table, and no branch or loop has a graph of its own."""
    targets = {node.target for node in graph.nodes if node.op == "call_function"}
    operators = {target for target in targets if isinstance(target, torch._ops.OpOverload)}
    higher = any(isinstance(target, torch._ops.HigherOrderOperator) for target in targets)
    return not higher and not any(operator in table or operator._schema.is_mutable for operator in operators)


def _drop_assertions(graph: Graph) -> None:
    for node in graph.nodes:
        if node.target in _ASSERTIONS:
            graph.erase_node(node)
    graph.eliminate_dead_code()


def _spell_casts(graph: Graph) -> None:
    """`to`, in all its forms, is a copy in another precision, or nothing."""
    for node in graph.nodes:
        if getattr(node.target, "overloadpacket", None) is not torch.ops.aten.to:
            continue
        (value, *_), wanted = node.args, node.meta["val"].dtype
        if value.meta["val"].dtype != wanted:
            with graph.inserting_before(node):
                spelled = graph.call_function(torch.ops.aten._to_copy.default, (value,), {"dtype": wanted})
            spelled.meta = dict(node.meta)
            value = spelled
        node.replace_all_uses_with(value)
        graph.erase_node(node)
