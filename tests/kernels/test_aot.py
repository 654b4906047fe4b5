"""Every kernel compiles for every architecture without a GPU, fits, and spills nothing."""

import json
from pathlib import Path

import pytest
from tests.support.ptx import parameter_count

from framecast.kernels import aot
from framecast.kernels.compile import SHARED_LIMITS, compile_kernel, plain_parameters
from framecast.kernels.fp8.config import geglu_constants, geglu_warps
from framecast.kernels.geglu.config import spec
from framecast.kernels.spec import CAPABILITIES, SINCE_HOPPER
from framecast.kernels.switches import OPS

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled kernels are kept under build/, by content."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(ROOT / "build" / "tests" / "triton"))


def test_every_kernel_for_every_architecture(tmp_path: Path) -> None:
    aot.main([str(tmp_path)])
    explained = {spec.variant for spec in aot.all_specs() if spec.spills}
    content = json.loads((tmp_path / "resources.json").read_text(encoding="utf-8"))
    kernels = content["kernels"]
    assert {row["op"] for row in kernels} == {*OPS, "fp8"}
    assert len(kernels) == sum(len(spec.capabilities) for spec in aot.all_specs())
    for op in {*OPS, "fp8"}:
        wanted = set(CAPABILITIES) if op not in ("upsample_conv", "fp8") else set(SINCE_HOPPER)
        assert {row["capability"] for row in kernels if row["op"] == op} == wanted
    for row in kernels:
        assert row["spilled_bytes"] == 0 or row["variant"] in explained, row
        assert 0 < row["registers"] <= 255, row
        assert row["shared_bytes"] <= SHARED_LIMITS[row["capability"]], row
        assert len(row["ptx_sha256"]) == 64
    table = (tmp_path / "resources.md").read_text(encoding="utf-8")
    assert table.count("\n") == 2 + len(aot.all_specs())
    assert explained == {row["variant"] for row in kernels if row["spilled_bytes"]}, "no explanation without a reason"
    assert table in (ROOT / "docs" / "kernels.md").read_text(encoding="utf-8"), "python -m framecast.kernels.aot again"


@pytest.mark.parametrize("width", [1, 16, 320, 1000, 1024, 1280, 2560, 5120, 20480])
def test_geglu_in_e4m3_has_tiles_and_warps_that_triton_takes(width: int) -> None:
    """Of any width: Triton refuses other numbers than powers of two, and that only where it compiles."""
    constants = geglu_constants(width)
    assert constants["FIRST"] + constants["REST"] >= width
    for count in (constants["FIRST"], constants["REST"], geglu_warps(width)):
        assert count & (count - 1) == 0 < count


def test_ptx_has_the_arguments_and_nothing_else() -> None:
    wanted = spec(64, "fp16", variant="test")
    compiled = compile_kernel(wanted, 90)
    assert parameter_count(compiled.ptx) == len(wanted.arguments)
    assert ".version 8.0" in compiled.ptx  # CUDA 12.0 and newer load it
    with pytest.raises(ValueError, match="uses parameter 3"):
        plain_parameters(compiled.ptx, 3)
    with pytest.raises(ValueError, match="has 4 parameters"):
        plain_parameters(compiled.ptx, 5)


@pytest.mark.parametrize(("op", "variant"), [("group_norm_silu", "unet 8²"), ("guided_step", "all options")])
def test_a_size_of_one_compiles(op: str, variant: str) -> None:
    """Where Triton compiles at the call, an integer argument of 1 is a constant and no tensor."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile

    for found in aot.all_specs():
        if found.op == op and found.variant.startswith(variant):
            names = list(found.kernel.arg_names)
            fixed = {name: found.constants[name] for name in names if name not in found.arguments} | {"length": 1}
            source = ASTSource(found.kernel, {**found.signature(), "length": "constexpr"}, fixed)
            options = {"num_warps": found.num_warps, "enable_fp_fusion": True}
            assert compile(source, target=GPUTarget("cuda", 90, 32), options=options).asm["ptx"]


def test_unknown_architectures_are_refused() -> None:
    with pytest.raises(ValueError, match="capability: 75"):
        compile_kernel(spec(64, "fp16", variant="test"), 75)
