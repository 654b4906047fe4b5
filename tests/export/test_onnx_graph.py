"""Graphs that torch's exporter has without a second trace, and those that need one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from framecast.export.onnx_graph import export_onnx
from framecast.export.simplify import RULES
from framecast.export.torch_graph import TorchGraph


class Casting(nn.Module):
    """A product and casts, as a UNet has, and then `more`."""

    def __init__(self, more: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.product = nn.Linear(4, 4)
        self.more = more

    def forward(self, x: Tensor) -> Tensor:
        return self.more(self.product(x).to(torch.float64).to(torch.float32).to(torch.float32)) * 1


@pytest.mark.parametrize(
    ("more", "traces"),
    [
        (lambda x: torch.nn.functional.silu(x), 1),
        (lambda x: x.clone().add_(1), 2),  # in place
        (lambda x: (x > 0) & (x < 1), 2),  # in the exporter's table
        (lambda x: x.movedim(0, 1), 3),  # composed of others: translating fails, and it is traced anew
    ],
    ids=["casts alone", "in place", "decomposed", "composed"],
)
def test_a_program_is_traced_again_only_where_it_must_be(
    more: Callable[[Tensor], Tensor], traces: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = [0]

    def counting(function: Callable[..., ExportedProgram]) -> Callable[..., ExportedProgram]:
        def count(*args: object, **kwargs: object) -> ExportedProgram:
            counted[0] += 1
            return function(*args, **kwargs)

        return count

    monkeypatch.setattr(TorchGraph, "program", counting(TorchGraph.program))
    monkeypatch.setattr(ExportedProgram, "run_decompositions", counting(ExportedProgram.run_decompositions))
    module = Casting(more).eval()
    axes = {"x": {0: Dim("batch", max=64)}}
    graph = TorchGraph(module, {"x": torch.randn(5, 4)}, axes, ["y"], symbolic=True)
    export_onnx(graph, tmp_path / "casting.onnx", opset=18)
    assert counted[0] == traces
    session = ort.InferenceSession(tmp_path / "casting.onnx")
    for batch in (1, 7):
        x = torch.randn(batch, 4)
        (found,) = session.run(None, {"x": x.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(found, module(x).numpy(), atol=1e-6)


def test_a_cast_that_is_given_back_has_its_name(tmp_path: Path) -> None:
    class Last(Casting):
        def forward(self, x: Tensor) -> Tensor:
            return self.product(x).to(torch.float64)

    axes = {"x": {0: Dim("batch", max=64)}}
    module = Last(nn.Identity()).eval()
    export_onnx(TorchGraph(module, {"x": torch.randn(5, 4)}, axes, ["y"], symbolic=True), tmp_path / "m.onnx", opset=18)
    x = torch.randn(3, 4)
    (found,) = ort.InferenceSession(tmp_path / "m.onnx").run(["y"], {"x": x.numpy()})
    np.testing.assert_allclose(found, module(x).detach().numpy(), atol=1e-6)


class Mixed(nn.Module):
    """Arguments of several types, which torch brings to one."""

    def forward(self, x: Tensor, count: Tensor) -> tuple[Tensor, ...]:
        shares = count / 3
        either = torch.where((count > 1.5)[:, None], x, shares[:, None])
        return x * count[:, None], x.half() + x, count + 0.5, either, x.sum(0) > count.sum(), x * count.shape[0]


def test_arguments_of_other_types_are_cast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As torch does it, and without computing what the trace has noted: only the nodes that the casts make new."""
    computed: list[str] = []
    compute = torch.fx.Interpreter.run_node

    def counting(self: torch.fx.Interpreter, node: torch.fx.Node) -> object:
        if node.op == "call_function":
            computed.append(node.name)
        return compute(self, node)

    monkeypatch.setattr(torch.fx.Interpreter, "run_node", counting)
    module = Mixed().eval()
    inputs = {"x": torch.randn(5, 4), "count": torch.arange(5)}
    batch = Dim("batch", max=64)
    axes = {"x": {0: batch}, "count": {0: batch}}
    names = ["product", "sum", "half", "either", "more", "length"]
    export_onnx(TorchGraph(module, inputs, axes, names, symbolic=True), tmp_path / "mixed.onnx", opset=18)
    assert len(computed) == len(set(computed)) > 0
    session = ort.InferenceSession(tmp_path / "mixed.onnx")
    for size in (1, 7):
        x, count = torch.randn(size, 4), torch.arange(size)
        found = session.run(names, {"x": x.numpy(), "count": count.numpy()})
        for name, value, expected in zip(names, found, module(x, count), strict=True):
            assert value.dtype == expected.numpy().dtype, name
            np.testing.assert_allclose(value, expected.numpy(), atol=1e-6, err_msg=name)


def test_what_does_nothing_is_not_in_the_graph(tmp_path: Path) -> None:
    graph = TorchGraph(Casting(nn.Identity()).eval(), {"x": torch.randn(5, 4)}, {"x": {0: Dim("batch", max=64)}}, ["y"])
    export_onnx(graph, tmp_path / "casting.onnx", opset=18)
    kinds = [node.op_type for node in onnx.load(tmp_path / "casting.onnx").graph.node]
    assert kinds == ["Gemm", "Cast", "Cast"]


def test_no_rule_looks_through_the_whole_graph_for_each_node() -> None:
    assert all(rule._target_pattern.has_single_output_node for rule in RULES)
