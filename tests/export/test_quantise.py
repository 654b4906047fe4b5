"""Eight-bit graphs: what is quantised, that it is close, that TensorRT-RTX compiles it, and what calibrates it."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.support.planner import open_planner
from tests.support.tiny_families import tiny_vae

from framecast.director.camera import BY_PROMPT, BY_VIEW
from framecast.engines.engine import Array
from framecast.engines.load import load_engine
from framecast.engines.tensorrt_flavour import TENSORRT_RTX, load_flavour
from framecast.errors import InvalidRepository
from framecast.export.bundle import Fold
from framecast.export.exported import Exported
from framecast.export.graphs.decode_yuv import export_decode_yuv
from framecast.export.parity import ParityError, gaussian
from framecast.export.precision import FP16, FP32, precision_for
from framecast.export.quantise import cpu, qdq
from framecast.export.quantise.calibration import prompts_of
from framecast.export.quantise.form import FORMS, FP8, INT8, Form, sites
from framecast.export.quantise.quality import MOST, ModuleEngine, psnr
from framecast.export.quantise.ranges import ranges
from framecast.export.tensorrt.build import build_plan
from framecast.export.tensorrt.onnx_file import onnx_inputs
from framecast.export.tensorrt.options import BuildOptions, Folders
from framecast.export.tensorrt.planes import write_plane_graph
from framecast.export.tensorrt.profiles import ShapeRange

EIGHT_BITS = (TensorProto.INT8, TensorProto.FLOAT8E4M3FN)
SAMPLES: list[Mapping[str, Array]] = [{"latents": gaussian(seed, 2, 4, 8, 8)} for seed in range(4)]
UNSEEN: Mapping[str, Array] = {"latents": gaussian(99, 3, 4, 6, 10)}


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A VAE as TensorRT's Q/DQ graphs are made from."""
    path = tmp_path_factory.mktemp("half") / "vae_decoder.onnx"
    return export_decode_yuv(tiny_vae(), Fold(), path, opset=qdq.OPSET, precision=FP16)


def decibels(path: Path, exported: Exported) -> float:
    """PSNR of the pictures of the graph at `path` against the single-precision module, on latents not seen before."""
    assert exported.engine is not None
    exact = ModuleEngine(exported.exact, exported.engine.inputs, exported.engine.outputs)
    pictures = load_engine("onnxruntime", path).run(UNSEEN)["rgb"].astype(np.float32)
    return psnr(pictures, exact.run(UNSEEN)["rgb"].astype(np.float32))


@pytest.mark.parametrize(("form", "least", "sms"), [(INT8, 30.0, ()), (FP8, 25.0, (89, 120))])
def test_a_qdq_graph_is_close_and_tensorrt_compiles_it(
    half: Exported, form: Form, least: float, sms: tuple[int, ...], tmp_path: Path
) -> None:
    path = Path(shutil.copy(half.path, tmp_path / "vae_decoder.onnx"))
    layers = qdq.quantise(path, form, SAMPLES)
    model = onnx.load(path)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    eight = [tensor for tensor in weights.values() if tensor.data_type == form.type and len(tensor.dims) > 1]
    assert layers == len(eight) > 5
    assert path.stat().st_size < half.path.stat().st_size
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            zero = numpy_helper.to_array(weights[node.input[2]]).astype(np.float32)
            assert not zero.any(), "TensorRT wants symmetric pairs"
        if node.op_type == "Conv" and len(node.input) > 2:
            assert weights[node.input[2]].data_type == TensorProto.FLOAT16, "biases stay as they are"
    assert decibels(half.path, half) > decibels(path, half) > least

    write_plane_graph(path, path)
    profile = {"latents": ShapeRange((1, 4, 2, 2), (2, 4, 8, 8), (4, 4, 16, 16))}
    assert onnx_inputs(path) == {"latents": (-1, 4, -1, -1)}
    flavour, folders = load_flavour(TENSORRT_RTX), Folders.under(tmp_path)
    plan = build_plan(flavour, path, [profile], folders, BuildOptions(compute_capabilities=sms))
    assert plan.path.stat().st_size > 10_000


def test_a_cpu_vae_is_static_int8_and_close(tmp_path: Path) -> None:
    exported = export_decode_yuv(tiny_vae(), Fold(), tmp_path / "vae_decoder.onnx", opset=cpu.STATIC_OPSET)
    layers = cpu.quantise_static(exported.path, SAMPLES)
    graph = onnx.load(exported.path).graph
    assert sum(node.op_type == "QuantizeLinear" for node in graph.node) >= layers > 5
    assert decibels(exported.path, exported) > 25


def products(path: Path) -> Path:
    """x · w · v, where w is 32 × 64 as a linear layer keeps it, transposed in the graph, and v too narrow."""
    generator = np.random.default_rng(0)
    weights = {"layer.weight": (64, 32), "narrow.weight": (64, 4)}
    nodes = [
        helper.make_node("Transpose", ["layer.weight"], ["turned"], perm=[1, 0]),
        helper.make_node("MatMul", ["x", "turned"], ["h"]),
        helper.make_node("MatMul", ["h", "narrow.weight"], ["y"]),
    ]
    tensors = [
        numpy_helper.from_array(generator.standard_normal(shape).astype(np.float32), name)
        for name, shape in weights.items()
    ]
    axes = {"x": ["batch", "tokens", 32], "y": ["batch", "tokens", 4]}
    values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in axes.items()}
    graph = helper.make_graph(nodes, "products", [values["x"]], [values["y"]], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


@pytest.mark.parametrize("how", ["dynamic", "int8", "fp8"])
def test_a_product_by_a_transposed_weight_is_quantised_and_a_narrow_one_is_not(how: str, tmp_path: Path) -> None:
    path = products(tmp_path / "products.onnx")
    x = {"x": np.random.default_rng(1).standard_normal((2, 5, 32)).astype(np.float32)}
    exact = load_engine("onnxruntime", path).run(x)["y"]
    layers = cpu.quantise_dynamic(path) if how == "dynamic" else qdq.quantise(path, FORMS[how], [x])
    assert layers == 1
    eight = [list(tensor.dims) for tensor in onnx.load(path).graph.initializer if tensor.data_type in EIGHT_BITS]
    assert [dims for dims in eight if len(dims) == 2] == [[32, 64]]
    found = load_engine("onnxruntime", path).run(x)["y"]
    off = np.abs(found - exact).max() / np.abs(exact).max()
    # 2 % with VNNI; processors without it add products of 8 bits in 16, which saturate: 4.4 % on a Zen 3.
    assert 1e-5 < off < (0.1 if how == "fp8" else 0.06)


def test_a_few_values_that_tower_over_the_rest_keep_a_layer_from_int8(tmp_path: Path) -> None:
    path = products(tmp_path / "products.onnx")
    x = np.random.default_rng(1).standard_normal((2, 50, 32)).astype(np.float32)
    x[0, 0, 0] = 500.0
    found = ranges(path, ["x"], [{"x": x}, {"x": x / 2}])["x"]
    assert found.peak == 500
    assert found.rms == pytest.approx(np.sqrt((np.mean(x**2) + np.mean((x / 2) ** 2)) / 2), rel=1e-5)
    assert found.crest == pytest.approx(found.peak / found.rms)
    assert found.crest > INT8.crest
    with pytest.raises(InvalidRepository, match=r"tower over the rest in every layer of products\.onnx; choose fp8"):
        qdq.quantise(path, INT8, [{"x": x}])

    model = onnx.load(path)  # a second layer, with an even input of its own
    model.graph.node.append(helper.make_node("MatMul", ["even", "turned"], ["z"]))
    for values, name in ((model.graph.input, "even"), (model.graph.output, "z")):
        values.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "tokens", None]))
    model.graph.input[-1].type.tensor_type.shape.dim[2].dim_value = 32
    onnx.save(model, path)
    shutil.copy(path, tmp_path / "again.onnx")
    inputs = {"x": x, "even": np.random.default_rng(2).standard_normal((2, 50, 32)).astype(np.float32)}
    assert qdq.quantise(path, INT8, [inputs]) == 1
    read = [node.input[0] for node in onnx.load(path).graph.node if node.op_type == "MatMul"]
    assert read[0] == "x"
    assert read[2] != "even"
    assert qdq.quantise(tmp_path / "again.onnx", FP8, [inputs]) == 2


def test_the_ends_of_a_network_are_left_alone(half: Exported) -> None:
    graph = onnx.load(half.path).graph
    convolutions = {node.input[1] for node in graph.node if node.op_type == "Conv"}
    left = convolutions - {site.weight.name for site in sites(graph)}
    assert {name for name in left if name.startswith("vae.")} == {
        f"vae.{name}.weight" for name in ("post_quant_conv", "decoder.conv_in", "decoder.conv_out")
    }
    assert len(left) == 4, "and the colour matrix"


def test_a_graph_with_nothing_to_quantise_is_refused(tmp_path: Path) -> None:
    path = products(tmp_path / "products.onnx")
    model = onnx.load(path)
    del model.graph.node[:2]
    model.graph.node[0].input[0] = "x"
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 64
    onnx.save(model, path)
    for quantise in (cpu.quantise_dynamic, lambda path: qdq.quantise(path, INT8, [])):
        with pytest.raises(InvalidRepository, match="no layer that --precision int8 could quantise"):
            quantise(path)


def test_psnr_is_what_its_definition_says() -> None:
    black = np.zeros((2, 3, 4, 4), np.float32)
    assert psnr(black, black) == MOST
    assert psnr(black + 0.1, black) == pytest.approx(20.0, abs=1e-4)


def test_a_film_of_nan_is_not_perfect() -> None:
    picture = np.full((1, 3, 2, 2), np.nan, np.float32)
    with pytest.raises(ParityError, match="NaN"):
        psnr(picture, np.zeros_like(picture))


def test_a_precision_is_for_some_engines() -> None:
    assert precision_for("int8", "onnxruntime") is FP32
    assert precision_for("int8", "tensorrt-rtx") is precision_for("fp8", "tensorrt") is FP16
    with pytest.raises(InvalidRepository, match="--precision fp8 is for --engine tensorrt or tensorrt-rtx, not onnx"):
        precision_for("fp8", "onnxruntime")


def test_prompts_are_worded_as_the_bundle_serves_them(storybook_repository: Path) -> None:
    planner = open_planner(storybook_repository)
    stories = ["A red car drives through the city. The camera zooms in.", "A dog."]
    (seen, _), (heard, _) = (prompts_of(planner, stories, camera) for camera in (BY_VIEW, BY_PROMPT))
    assert "red car" in seen
    assert "zoom" not in seen
    assert heard == f"{seen}, zoom in"
