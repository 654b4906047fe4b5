"""Real plans of the storybook's graphs, built by TensorRT-RTX on the CPU. Nothing is run: that takes a GPU."""

import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console
from tests.conftest import ROOT
from tests.support import tensorrt_contract as contract
from tests.support.opset18 import opset18_graphs

from framecast.engines import gpus, tensorrt_api
from framecast.engines.manifest import sha256
from framecast.engines.tensorrt_flavour import TENSORRT_RTX, Flavour, load_flavour
from framecast.errors import InvalidRepository
from framecast.export.bundle import Bundle
from framecast.export.tensorrt import api, build
from framecast.export.tensorrt.build import build_plan
from framecast.export.tensorrt.compiler import TensorRtCompiler
from framecast.export.tensorrt.errors import EngineBuildError
from framecast.export.tensorrt.onnx_file import onnx_inputs
from framecast.export.tensorrt.options import BuildOptions, Folders
from framecast.export.tensorrt.plan import plain
from framecast.export.tensorrt.profiles import PROFILES, Profile, ServingLimits, ShapeRange

LIMITS = ServingLimits.of(
    max_batch=8,
    segment_latents=12,
    chunk_latents=4,
    size=(16, 16),
    max_side=64,
    multiple=2,
    max_tokens=48,
    context=1024,
)
SMALL: Profile = {"x": ShapeRange((1, 8), (2, 8), (4, 8))}


@pytest.fixture(scope="module")
def flavour() -> Flavour:
    """TensorRT-RTX, whose `Runtime` must not be made."""
    return load_flavour(TENSORRT_RTX)


@pytest.fixture(scope="module")
def graphs() -> Path:
    """The storybook at opset 18."""
    return opset18_graphs(Bundle.open(ROOT / "bundles" / "storybook"), ROOT / "build" / "tests" / "opset18")


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """Empty caches."""
    return Folders.under(tmp_path)


def write(path: Path, nodes: Sequence[Any], tensors: dict[str, Sequence[int | str]], opset: int = 18) -> Path:
    """An ONNX file of float tensors: inputs first, "y" the output; the constant w is an 8 × 8 unit matrix."""
    values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in tensors.items()}
    weights = [numpy_helper.from_array(np.eye(8, dtype=np.float32), "w")]
    inputs = [value for name, value in values.items() if name != "y"]
    graph = helper.make_graph(list(nodes), "small", inputs, [values["y"]], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10), path)
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """One matrix product."""
    product = helper.make_node("MatMul", ["x", "w"], ["y"], name="product")
    return write(tmp_path / "small.onnx", [product], {"x": ["batch", 8], "y": ["batch", 8]})


def forbid(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Any use of `owner.name` fails the test."""

    def used(*_: object, **__: object) -> None:
        raise AssertionError(f"{name} was used")

    monkeypatch.setattr(owner, name, used)


@pytest.mark.parametrize("graph", ["text_encoder", "vae_decoder", "planner", "unet"])
def test_the_storybooks_graphs_are_built(
    graph: str, graphs: Path, flavour: Flavour, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(monkeypatch, flavour.bindings, "Runtime")
    path = graphs / f"{graph}.onnx"
    profiles = PROFILES[graph](LIMITS, onnx_inputs(path))
    plan = build_plan(flavour, path, profiles, folders)
    content = plan.path.read_bytes()
    assert len(content) > 100_000
    assert not plan.cached

    # Names, types and shapes are the graph's, and every dynamic input has the ranges that were asked for.
    session = ort.InferenceSession(str(path))
    names = {"tensor(float)": "float32", "tensor(int64)": "int64", "tensor(uint8)": "uint8"}
    for built, exported in ((plan.inputs, session.get_inputs()), (plan.outputs, session.get_outputs())):
        assert {(tensor.name, tensor.dtype) for tensor in built} == {(node.name, names[node.type]) for node in exported}
    fixed = {node.name: [n if isinstance(n, int) else -1 for n in node.shape] for node in session.get_inputs()}
    assert {tensor.name: list(tensor.shape) for tensor in plan.inputs} == fixed
    assert all(tensor.name.encode() in content for tensor in (*plan.inputs, *plan.outputs))
    request = json.loads(plan.request)
    assert request["profiles"] == [plain(profile) for profile in profiles]
    assert request["onnx"] != request["target"]

    # An equal build is found, not made.
    forbid(monkeypatch, build, "_compile")
    again = build_plan(flavour, path, profiles, folders)
    assert again == replace(plan, cached=True)


@pytest.mark.parametrize("graph", ["text_encoder", "vae_decoder", "planner", "unet"])
def test_the_smallest_shapes_of_a_profile_run_together(graph: str, graphs: Path) -> None:
    path = graphs / f"{graph}.onnx"
    session = ort.InferenceSession(str(path))
    dtypes = {"tensor(float)": np.float32, "tensor(int64)": np.int64}
    for profile in PROFILES[graph](LIMITS, onnx_inputs(path)):
        inputs = {
            node.name: np.ones(profile[node.name].min if node.name in profile else node.shape, dtypes[node.type])
            for node in session.get_inputs()
        }
        assert all(output.size for output in session.run(None, inputs))


def test_a_plan_is_put_beside_its_onnx_file_and_described(
    graphs: Path, flavour: Flavour, folders: Folders, tmp_path: Path
) -> None:
    compiler = TensorRtCompiler(flavour, folders)
    for name in ("text_encoder", "vae_decoder"):
        copy = Path(shutil.copy(graphs / f"{name}.onnx", tmp_path))
        compiled = compiler.compile_file(name, copy, LIMITS)
        assert compiled.path == copy.with_suffix(".plan")
        assert compiled.engine == TENSORRT_RTX
        assert compiled.build["version"] == flavour.version
        assert compiled.build["profiles"]
        assert sha256(compiled.path) in {sha256(plan) for plan in folders.engines.glob("*.plan")}


def test_another_profile_option_or_graph_is_another_build(flavour: Flavour, folders: Folders, small: Path) -> None:
    plans = [
        build_plan(flavour, small, [SMALL], folders),
        build_plan(flavour, small, [{"x": ShapeRange((1, 8), (2, 8), (5, 8))}], folders),
        build_plan(flavour, small, [SMALL], folders, BuildOptions(tf32=True)),
        build_plan(flavour, small, [SMALL], folders, BuildOptions(batch_invariant=True)),
        build_plan(flavour, small, [SMALL], folders, BuildOptions(compute_capabilities=(89, 120))),
        build_plan(replace(flavour, version="1.0"), small, [SMALL], folders),
    ]
    model = onnx.load(small)
    model.graph.initializer[0].raw_data = bytes(8 * 8 * 4)
    onnx.save(model, small)
    plans.append(build_plan(flavour, small, [SMALL], folders))
    assert len({plan.path for plan in plans}) == len(plans)
    assert not any(plan.cached for plan in plans)


def test_weights_beside_the_file_are_part_of_it(flavour: Flavour, folders: Folders, small: Path) -> None:
    model = onnx.load(small)
    onnx.save(model, small, save_as_external_data=True, location="small.data", size_threshold=0)
    first = build_plan(flavour, small, [SMALL], folders)
    assert build_plan(flavour, small, [SMALL], folders).cached
    data = small.with_name("small.data")
    data.write_bytes(bytes(data.stat().st_size))
    second = build_plan(flavour, small, [SMALL], folders)
    assert not second.cached
    assert second.path != first.path
    data.unlink()
    with pytest.raises(EngineBuildError, match=r"small\.onnx keeps weights in small\.data, which is not beside it"):
        build_plan(flavour, small, [SMALL], folders)


def test_a_plan_that_has_changed_is_built_again(flavour: Flavour, folders: Folders, small: Path) -> None:
    plan = build_plan(flavour, small, [SMALL], folders)
    plan.path.write_bytes(plan.path.read_bytes()[:-1])
    again = build_plan(flavour, small, [SMALL], folders)
    assert not again.cached
    assert sha256(again.path) == again.sha256


@pytest.mark.parametrize("content", [b"nonsense", b"", None])
def test_what_is_no_onnx_file_is_refused(
    content: bytes | None, flavour: Flavour, folders: Folders, small: Path
) -> None:
    small.write_bytes(small.read_bytes()[:90] if content is None else content)
    with pytest.raises(EngineBuildError, match=r"^small\.onnx cannot be read as ONNX: [^\n]+\.$"):
        build_plan(flavour, small, [SMALL], folders)
    assert not folders.engines.exists()


def test_an_operator_that_tensorrt_lacks_is_named(flavour: Flavour, folders: Folders, tmp_path: Path) -> None:
    path = write(
        tmp_path / "unique.onnx",
        [helper.make_node("Unique", ["x"], ["y"], name="the_unique_one")],
        {"x": ["batch", 8], "y": ["n"]},
    )
    with pytest.raises(
        EngineBuildError, match=r"cannot take unique\.onnx at the node the_unique_one \(Unique\): .+\.$"
    ):
        build_plan(flavour, path, [SMALL], folders)


def test_attention_nodes_are_why_the_opset_is_18(flavour: Flavour, folders: Folders, tmp_path: Path) -> None:
    node = helper.make_node("Attention", ["q", "k", "v"], ["y"], name="attention")
    path = write(tmp_path / "attention.onnx", [node], {name: ["b", 2, "s", 4] for name in "qkvy"}, opset=23)
    profile = {name: ShapeRange((1, 2, 1, 4), (1, 2, 4, 4), (2, 2, 8, 4)) for name in "qkv"}
    with pytest.raises(
        EngineBuildError, match=r"cannot build attention\.onnx: .*Attention operation was not supported"
    ):
        build_plan(flavour, path, [profile], folders)


def test_axes_that_belong_together_must_agree(flavour: Flavour, folders: Folders, tmp_path: Path) -> None:
    path = write(
        tmp_path / "joined.onnx",
        [helper.make_node("Concat", ["x", "z"], ["y"], axis=1)],
        {"x": ["batch", 8], "z": ["batch", 8], "y": ["batch", 16]},
    )
    build_plan(flavour, path, [{**SMALL, "z": SMALL["x"]}], folders)
    with pytest.raises(EngineBuildError, match=r"cannot build joined\.onnx: .*kOPT values are not self-consistent"):
        build_plan(flavour, path, [{**SMALL, "z": ShapeRange((1, 8), (3, 8), (4, 8))}], folders)


@pytest.mark.parametrize(
    ("profile", "sentence"),
    [
        ({}, "is for nothing; the dynamic inputs are x"),
        ({**SMALL, "z": SMALL["x"]}, "is for x, z; the dynamic inputs are x"),
        ({"x": ShapeRange((1, 7), (2, 7), (4, 7))}, r"gives x shapes like \[2, 7\]; the graph has \[-1, 8\]"),
        ({"x": ShapeRange((1,), (2,), (4,))}, r"gives x shapes like \[2\]; the graph has \[-1, 8\]"),
    ],
)
def test_a_profile_for_other_inputs_is_refused(
    profile: Profile, sentence: str, flavour: Flavour, folders: Folders, small: Path
) -> None:
    with pytest.raises(EngineBuildError, match=rf"^Profile 0 of small\.onnx {sentence}\.$"):
        build_plan(flavour, small, [profile], folders)


def test_an_option_that_is_not_there_is_refused_by_name(
    flavour: Flavour, folders: Folders, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "visible_gpus", lambda driver: ())
    for options, error, sentence in (
        (BuildOptions(hardware="ampere_plus"), EngineBuildError, "has no option hardware; use compute_capabilities"),
        (BuildOptions(version_compatible=True), EngineBuildError, "has no option version_compatible"),
        (BuildOptions(compute_capabilities=(90,)), EngineBuildError, r"cannot build for compute capability 9\.0"),
        (BuildOptions(refittable=True), InvalidRepository, "needs an NVIDIA GPU and this process sees none"),
    ):
        with pytest.raises(error, match=sentence):
            build_plan(flavour, small, [SMALL], folders, options)
    monkeypatch.delattr(flavour.bindings.BuilderFlag, "DISTRIBUTIVE_INDEPENDENCE")
    with pytest.raises(EngineBuildError, match=r"has no option batch_invariant; it needs TensorRT 10\.12 or"):
        build_plan(flavour, small, [SMALL], folders, BuildOptions(batch_invariant=True))


def test_limits_and_levels_are_taken(flavour: Flavour, folders: Folders, small: Path) -> None:
    options = BuildOptions(workspace_bytes=1 << 28, optimization_level=1)
    builder = flavour.bindings.Builder(build.logger_of(flavour.bindings))
    config = build.configure(flavour, builder, options)
    assert config.get_memory_pool_limit(flavour.bindings.MemoryPoolType.WORKSPACE) == 1 << 28  # type: ignore[attr-defined]
    assert config.builder_optimization_level == 1
    assert not config.get_flag(flavour.bindings.BuilderFlag.TF32)  # type: ignore[attr-defined]
    assert build_plan(flavour, small, [SMALL], folders, options).path.stat().st_size


def test_progress_is_shown(flavour: Flavour, folders: Folders, small: Path) -> None:
    screen = io.StringIO()
    build_plan(flavour, small, [SMALL], folders, console=Console(file=screen, force_terminal=True, width=100))
    assert "Building" in screen.getvalue() or "Setup" in screen.getvalue(), screen.getvalue()


def test_the_bindings_of_tensorrt_rtx_are_what_the_builder_takes_them_for(flavour: Flavour) -> None:
    checked = [*contract.protocols(api), *contract.protocols(tensorrt_api)]
    assert [line for protocol in checked for line in contract.differences(flavour.bindings, protocol)] == []
    assert all(api.optional(flavour.bindings, member) is not None for member in api.OPTIONAL)
