"""Plugins as NVIDIA's ``tensorrt.plugin`` sees them: its Python runs for real, its libraries do not (fake_tensorrt)."""

import importlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx.helper import get_attribute_value
from tests.kernels.fake_tensorrt import (
    DataType,
    DimensionOperation,
    DynamicPluginTensorDesc,
    ExprBuilder,
    IDimensionExpr,
    installed,
)
from tests.support.ptx import parameter_count

from framecast.kernels import tensorrt_plugin
from framecast.kernels.onnx_node import plugin_node
from framecast.kernels.switches import OPS
from framecast.kernels.tensorrt_plugin import FLOAT32_INPUTS, Plugin, define

PLUGINS: dict[str, Plugin] = {
    plugin.name: plugin for op in OPS for plugin in importlib.import_module(f"framecast.kernels.{op}.plugin").PLUGINS
}
ROWS, NORM = (4, 700, 48), {"groups": 16, "channels": 48, "rows": 512}
LATENTS = (3, 4, 5, 50)
FRAMES = {"frames": 7, "heads": 2, "width": 40, "scale": 0.2}

# name → (shapes of the inputs, attributes, shapes of the outputs, grid, integers); all grids worked out by hand.
EXPECTED: dict[str, tuple[list[tuple[int, ...]], dict[str, Any], list[tuple[int, ...]], tuple[int, ...], list[int]]] = {
    "group_norm_stats": ([ROWS], NORM, [(4, 2, 2, 16)], (2, 1, 4), [700, 33600, 48]),
    "group_norm_add_stats": (
        [ROWS, ROWS],
        NORM,
        [ROWS, (4, 2, 2, 16)],
        (2, 1, 4),
        [700, 33600, 48, 33600, 48],
    ),
    "group_norm_apply": (
        [ROWS, (4, 2, 2, 16), (48,), (48,)],
        {**NORM, "eps": 1e-5, "silu": 1},
        [ROWS],
        (2, 1, 4),
        [700, 33600, 48],
    ),
    "temporal_attention": ([(14, 9, 80)] * 3, FRAMES, [(14, 9, 80)], (36, 1, 1), [9, *[720, 80] * 3]),
    "temporal_attention_position": (
        [*[(14, 9, 80)] * 3, (3, 7, 80)],
        FRAMES,
        [(14, 9, 80)],
        (36, 1, 1),
        [9, *[720, 80] * 3],
    ),
    "geglu": ([(3, 11, 1200)], {"width": 600}, [(3, 11, 600)], (9, 2, 1), [33, 1200]),
    "guided_moments": ([LATENTS, LATENTS, (3,)], {}, [(3, 1, 4)], (1, 3, 1), [1000] * 3),
    "guided_step": ([*[LATENTS] * 3, (3,), (3, 4)], {}, [LATENTS] * 2, (1, 3, 1), [1000] * 4),
    "guided_step_noise_previous_rescale": (
        [*[LATENTS] * 3, (3,), (3, 4), LATENTS, LATENTS, (3,), (3, 1, 4)],
        {},
        [LATENTS] * 2,
        (1, 3, 1),
        [1000] * 6,
    ),
    "yuv420": (
        [(5, 3, 90, 272)],
        {"aligned": 1},
        [(5, 90, 272), (5, 45, 136), (5, 45, 136)],
        (3, 12, 5),
        [90, 272, 73440, 24480, 272],
    ),
}


class Record:
    def __init__(self) -> None:
        self.expressions: dict[int, Any] = {}

    def __setitem__(self, index: int, value: Any) -> None:
        self.expressions[index] = value


@pytest.fixture(scope="module")
def tensorrt() -> Iterator[tuple[Any, Any]]:
    with installed() as modules:
        yield modules


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled kernels are kept under build/, by content."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(Path(__file__).parents[2] / "build" / "tests" / "triton"))


@pytest.fixture(scope="module")
def defined(tensorrt: tuple[Any, Any]) -> Any:
    """The registry of `tensorrt.plugin`, with all of ours in it."""
    tensorrt_plugin._defined.clear()
    for plugin in PLUGINS.values():
        define(plugin, 90)
        define(plugin, 90)
    yield importlib.import_module("tensorrt.plugin._lib").QDP_REGISTRY
    tensorrt_plugin._defined.clear()


def test_registration_passes_nvidias_validation(defined: Any) -> None:
    assert {f"framecast::{name}" for name in PLUGINS} == set(defined)
    for name, plugin in PLUGINS.items():
        found = defined[f"framecast::{name}"]
        assert tuple(found.input_tensor_names) == plugin.inputs
        assert dict(found.input_attrs) == dict(plugin.attributes)
        assert tuple(found.aot_impl_attr_names) == tuple(plugin.attributes)
        assert found.num_outputs == plugin.outputs


def test_another_architecture_in_the_same_process_is_refused(defined: Any) -> None:
    with pytest.raises(ValueError, match="sm_90 in this process already, not for sm_100"):
        define(PLUGINS["geglu"], 100)


@pytest.mark.parametrize("name", EXPECTED)
def test_engine_build(name: str, defined: Any, tensorrt: tuple[Any, Any]) -> None:
    """What TensorRT asks a plugin while it builds an engine, every dimension unknown, in its own template class."""
    plugin = PLUGINS[name]
    shapes, attributes, out_shapes, grid, integers = EXPECTED[name]
    types = [DataType.FLOAT if given in FLOAT32_INPUTS else DataType.HALF for given in plugin.inputs]
    library = importlib.import_module("tensorrt.plugin._plugin_class")
    entry = defined[f"framecast::{name}"]
    built = library._TemplateAOTPlugin(name, "framecast", entry.num_outputs)
    built.init(entry.register_func, attributes, entry.aot_impl_attr_names, entry.aot_impl_func, None, None)
    built.set_tactic(0)

    out_types = built.get_output_data_types(types, [len(shape) for shape in shapes])
    statistics = {"group_norm_stats": [0], "group_norm_add_stats": [1], "guided_moments": [0]}.get(name, [])
    assert out_types == [DataType.FLOAT if i in statistics else DataType.HALF for i in range(plugin.outputs)]

    unknown = [[IDimensionExpr(size, False) for size in shape] for shape in shapes]
    found = built.get_output_shapes(unknown, [], ExprBuilder())
    assert [tuple(expression.value for expression in shape) for shape in found] == out_shapes

    launch, arguments = Record(), Record()
    descriptions = [DynamicPluginTensorDesc(kind) for kind in (*types, *out_types)]
    built.get_launch_params(unknown, descriptions, len(types), launch, arguments, ExprBuilder())
    assert tuple(getattr(launch, f"grid_{axis}").expr.value for axis in "xyz") == grid
    assert [arguments.expressions[i].expr.value for i in range(len(integers))] == integers
    assert arguments.nbSymExprs == len(integers)

    kernel, ptx = built.get_kernel(
        [description.desc for description in descriptions[: len(types)]],
        [description.desc for description in descriptions[len(types) :]],
    )
    text = ptx.decode()
    assert f".visible .entry {kernel}(" in text
    assert parameter_count(text) == len(types) + len(integers) + plugin.outputs
    assert launch.block_x.expr.value == int(text.split(".reqntid ")[1].split("\n")[0])


def test_an_input_of_another_precision_is_named(defined: Any) -> None:
    """The kernel would take its bytes for those of the first input's."""
    library = importlib.import_module("tensorrt.plugin._plugin_class")
    entry = defined["framecast::group_norm_apply"]
    built = library._TemplateAOTPlugin("group_norm_apply", "framecast", 1)
    attributes = EXPECTED["group_norm_apply"][1]
    built.init(entry.register_func, attributes, entry.aot_impl_attr_names, entry.aot_impl_func, None, None)
    built.set_tactic(0)
    types = [DataType.HALF, DataType.FLOAT, DataType.FLOAT, DataType.HALF]
    descriptions = [DynamicPluginTensorDesc(kind) for kind in (*types, DataType.HALF)]
    unknown = [[IDimensionExpr(size, False) for size in shape] for shape in EXPECTED["group_norm_apply"][0]]
    built.get_output_data_types(types, [len(shape) for shape in unknown])
    built.get_output_shapes(unknown, [], ExprBuilder())
    with pytest.raises(ValueError, match=r"weight: group_norm_apply takes DataType.HALF, not DataType.FLOAT; cast it"):
        built.get_launch_params(unknown, descriptions, len(types), Record(), Record(), ExprBuilder())


@pytest.mark.parametrize("name", EXPECTED)
def test_onnx_node_round_trip(name: str, tmp_path: Path) -> None:
    plugin = PLUGINS[name]
    _, attributes, outputs, *_ = EXPECTED[name]
    values = [f"out{i}" for i in range(len(outputs))]
    node = plugin_node(plugin, plugin.inputs, values, **attributes)
    graph = onnx.helper.make_graph([node], "one", [], [])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "one.onnx")
    (read,) = onnx.load(tmp_path / "one.onnx").graph.node
    assert (read.op_type, read.domain, list(read.input), list(read.output)) == (
        name,
        "",
        list(plugin.inputs),
        values,
    )
    found = {attribute.name: get_attribute_value(attribute) for attribute in read.attribute}
    assert found.pop("plugin_namespace") == b"framecast"
    assert found.pop("plugin_version") == b"1"
    assert found.pop("aot") == 1
    assert list(found) == list(plugin.attributes)
    assert found == pytest.approx(attributes)


@pytest.mark.parametrize(
    ("inputs", "outputs", "attributes", "message"),
    [
        (["a", "b"], ["c"], {"width": 4}, "inputs: geglu takes x"),
        (["a"], [], {"width": 4}, "outputs: geglu gives 1"),
        (["a"], ["c"], {}, "attributes: geglu takes width, not none"),
        (["a"], ["c"], {"width": 4.0}, "attributes: width of geglu is int, not float"),
    ],
)
def test_wrong_nodes_are_refused(
    inputs: list[str], outputs: list[str], attributes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        plugin_node(PLUGINS["geglu"], inputs, outputs, **attributes)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("group_norm_stats", {"groups": 7}, "groups: 7 does not divide 48"),
        ("group_norm_add_stats", {"rows": 0}, "rows: 0"),
        ("group_norm_apply", {"eps": math.nan}, "eps of group_norm_apply is nan; give a finite number"),
        ("group_norm_apply", {"channels": 1 << 20}, "channels in a group exceed 4096"),
        ("temporal_attention", {"frames": 33}, "frames: 33 is not in 1 … 32"),
        ("temporal_attention_position", {"width": -3}, "width: -3 is not in 1 … 256"),
        ("geglu", {"width": 0}, "width: 0"),
    ],
)
def test_attributes_without_a_kernel_are_refused(name: str, change: dict[str, Any], message: str) -> None:
    plugin = PLUGINS[name]
    with pytest.raises(ValueError, match=message):
        plugin_node(plugin, plugin.inputs, ["out"] * plugin.outputs, **{**EXPECTED[name][1], **change})


def test_the_fake_refuses_to_read_unknown_dimensions() -> None:
    total = ExprBuilder().operation(DimensionOperation.SUM, IDimensionExpr(1, False), IDimensionExpr(2, True))
    with pytest.raises(AssertionError, match="unknown at build time"):
        total.get_constant_value()
