"""Rewrites for ONNX Runtime: as torch computes it, in fewer nodes, and what they do not know stays as it is."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper
from torch import Tensor, nn
from torch.export import Dim

from framecast.engines.load import load_engine
from framecast.export.onnx_graph import export_onnx
from framecast.export.rewrites import OPSET, rewrite
from framecast.export.torch_graph import TorchGraph

HEADS = 4


class Block(nn.Module):
    """Group norms, a convolution over time and attention of each frame's pixels to a text, as UNets have them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.norm, self.again = nn.GroupNorm(3, 12, eps=1e-3), nn.GroupNorm(4, 16)
        self.over_time = nn.Conv3d(12, 16, (3, 1, 1), padding=(1, 0, 0))
        self.query, self.key, self.value = nn.Linear(16, 16), nn.Linear(10, 16), nn.Linear(10, 16)
        for weight in (*self.norm.parameters(), *self.again.parameters()):
            nn.init.normal_(weight)

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        """x [B, 12, F, H, W], text [B, L, 10] → [B, F·H·W, 16]."""
        moved = self.over_time(F.silu(self.norm(x)))
        pixels = self.again(moved).flatten(2).transpose(1, 2)
        sides = self.query(pixels), self.key(text), self.value(text)
        q, k, v = (side.unflatten(-1, (HEADS, -1)).transpose(1, 2) for side in sides)
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def inputs(*shape: int, tokens: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(len(shape) + tokens)
    x = torch.randn(shape, generator=generator)
    return {"x": 3 + 2 * x, "text": torch.randn(shape[0], tokens, 10, generator=generator)}


@pytest.fixture(scope="module")
def block(tmp_path_factory: pytest.TempPathFactory) -> tuple[Block, Path]:
    path, module = tmp_path_factory.mktemp("rewrites") / "block.onnx", Block().eval()
    batch, frames, height, width, tokens = (Dim(name, max=64) for name in ("b", "f", "h", "w", "t"))
    dynamic = {"x": {0: batch, 2: frames, 3: height, 4: width}, "text": {0: batch, 1: tokens}}
    graph = TorchGraph(module, inputs(2, 12, 3, 4, 5, tokens=6), dynamic, ["out"], symbolic=True)
    export_onnx(graph, path, opset=OPSET)
    return module, path


@pytest.mark.parametrize(("shape", "tokens"), [((2, 12, 3, 4, 5), 6), ((1, 12, 1, 1, 1), 2), ((3, 12, 7, 2, 6), 9)])
def test_it_computes_what_torch_does(block: tuple[Block, Path], shape: tuple[int, ...], tokens: int) -> None:
    module, path = block
    given = inputs(*shape, tokens=tokens)
    with torch.no_grad():
        expected = module(**given).numpy()
    found = load_engine("onnxruntime", path).run({name: value.numpy() for name, value in given.items()})["out"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-6)


def test_what_was_slow_is_gone_with_its_weights(block: tuple[Block, Path]) -> None:
    graph = onnx.load(block[1]).graph
    kinds = Counter(node.op_type for node in graph.node)
    attention = next(node for node in graph.node if node.op_type == "Attention")
    assert "GroupNormalization" not in kinds
    assert kinds["InstanceNormalization"] == 2
    assert {each.name: each.i for each in attention.attribute}["q_num_heads"] == HEADS
    assert kinds["Transpose"] == 1  # of the pixels
    assert [len(each.dims) for each in graph.initializer if len(each.dims) >= 4] == [4]
    read = {name for node in graph.node for name in node.input}
    assert {each.name for each in graph.initializer} <= read


def conv(**attributes: object) -> onnx.ModelProto:
    node = helper.make_node("Conv", ["x", "w"], ["y"], **attributes)
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2, None, 4, 4]) for name in "xy")
    weight = helper.make_tensor("w", TensorProto.FLOAT, [2, 2, 3, 1, 1], np.ones(12))
    return helper.make_model(helper.make_graph([node], "conv", [x], [y], [weight]))


@pytest.mark.parametrize(
    ("attributes", "changed"),
    [
        ({"pads": [1, 0, 0, 1, 0, 0]}, True),
        ({"pads": [2, 0, 0, 0, 0, 0]}, True),  # a causal one
        ({"pads": [1, 0, 0, 1, 0, 0], "strides": [2, 1, 1]}, False),
        ({"pads": [2, 0, 0, 2, 0, 0], "dilations": [2, 1, 1]}, False),
        ({"pads": [1, 1, 0, 1, 1, 0]}, False),
        ({"auto_pad": "SAME_UPPER"}, False),
        ({}, False),
    ],
)
def test_only_a_convolution_that_keeps_the_shape_is_flattened(attributes: dict[str, object], changed: bool) -> None:
    model, before = conv(**attributes), conv(**attributes)
    rewrite(model)
    assert (model != before) == changed
    x = np.random.default_rng(0).standard_normal((1, 2, 5, 4, 4)).astype(np.float32)
    results = []
    for each in (before, model):
        each.ir_version = 10
        each.opset_import[0].version = 21
        results.append(run(each, x))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5, atol=1e-6)


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    return onnx.reference.ReferenceEvaluator(model).run(None, {"x": x})[0]


def test_a_group_norm_whose_scale_is_computed_stays() -> None:
    nodes = [
        helper.make_node("Abs", ["s"], ["scale"]),
        helper.make_node("GroupNormalization", ["x", "scale", "s"], ["y"], num_groups=2),
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4, None]) for name in "xy")
    scale = helper.make_tensor("s", TensorProto.FLOAT, [4], np.ones(4))
    model = helper.make_model(helper.make_graph(nodes, "norm", [x], [y], [scale]))
    rewrite(model)
    assert [node.op_type for node in model.graph.node] == ["Abs", "GroupNormalization"]
