"""`framecast export --engine` and `--precision int8`, from the command line to what is served of it."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from tests.conftest import GRAPH_CACHE
from typer.testing import CliRunner, Result

from framecast.engines import gpus
from framecast.engines.manifest import Manifest
from framecast.engines.tensorrt_flavour import TENSORRT_RTX, load_flavour
from framecast.errors import InvalidRepository
from framecast.export.cli import command
from framecast.gateway.serve import ServeConfig, serve


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine has."""
    monkeypatch.setattr(gpus, "visible_gpus", lambda driver=gpus.DRIVER: ())


def export(bundle: Path, output: Path, *options: str) -> Result:
    app = typer.Typer()
    app.command()(command)
    arguments = ["--bundle", str(bundle), "--output", str(output), "--cache", str(GRAPH_CACHE), *options]
    return CliRunner().invoke(app, arguments)


@pytest.fixture(scope="module")
def compiled(tiny_bundle: Path, tiny_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle with plans for the text encoder and the VAE; the UNet's takes the longest and is like them."""
    output = tmp_path_factory.mktemp("compiled") / "served"
    graphs = ("--compile", "text_encoder", "--compile", "vae_decoder")
    result = export(tiny_bundle, output, "--engine", "tensorrt-rtx", *graphs, "--optimization-level", "1", "--json")
    assert result.exit_code == 0, result.output
    assert set(json.loads(result.stdout)["graphs"]) == {"planner", "text_encoder", "unet", "vae_decoder"}
    return output


def test_plans_are_served_in_the_place_of_onnx_files(compiled: Path) -> None:
    manifest = Manifest.load(compiled)
    manifest.verify(compiled)
    version = load_flavour(TENSORRT_RTX).version
    assert manifest.versions[TENSORRT_RTX] == version
    engines = {name: graph.engine for name, graph in manifest.graphs.items()}
    assert engines == dict.fromkeys(("planner", "unet"), "onnxruntime") | dict.fromkeys(
        ("text_encoder", "vae_decoder"), TENSORRT_RTX
    )
    text, vae = (manifest.graphs[name] for name in ("text_encoder", "vae_decoder"))
    assert (vae.file, vae.opset, vae.precision) == ("vae_decoder/1/vae_decoder.plan", 18, "fp32")
    assert vae.build["version"] == version
    assert vae.build["options"]["optimization_level"] == 1
    assert vae.build["profiles"] == [{"latents": [[1, 4, 1, 1], [2, 4, 8, 8], [4, 4, 256, 256]]}]
    assert text.build["profiles"] == [{"input_ids": [[1, 16], [2, 16], [16, 16]]}]
    assert 0 < vae.parity["max_abs_error"] <= 1e-3, "of the ONNX file that the plan was made from"
    files = {path.name for path in (compiled / "vae_decoder" / "1").iterdir()}
    assert "vae_decoder.onnx" not in files


def test_an_export_with_plans_is_up_to_date_until_an_option_changes(tiny_bundle: Path, compiled: Path) -> None:
    options = ("--engine", "tensorrt-rtx", "--compile", "text_encoder", "--compile", "vae_decoder")
    again = export(tiny_bundle, compiled, *options, "--optimization-level", "1")
    assert again.exit_code == 0
    assert "is up to date" in again.stderr.replace("\n", " ")


def test_serving_plans_without_a_gpu_is_refused_before_anything_starts(compiled: Path) -> None:
    with pytest.raises(
        InvalidRepository, match=r"^The graph text_encoder was compiled for tensorrt_rtx, which needs an"
    ):
        asyncio.run(serve(ServeConfig(compiled)))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--engine", "tensorrt"], "Building with TensorRT needs an NVIDIA GPU and this process sees none"),
        (["--engine", "openvino"], "--engine is 'openvino'; choose one of onnxruntime, "),
        (["--engine", "tensorrt-rtx", "--hardware", "ampere_plus"], "has no option hardware; use compute_capabilities"),
        (["--engine", "tensorrt-rtx", "--version-compatible"], "has no option version_compatible; use the same"),
        (["--engine", "tensorrt-rtx", "--compute-capability", "90"], "cannot build for compute capability 9.0"),
        (["--engine", "tensorrt-rtx", "--refittable"], "needs an NVIDIA GPU"),
        (["--engine", "tensorrt-rtx", "--optimization-level", "6"], "optimization_level is 6; it must be 0 to 5"),
        (["--engine", "tensorrt-rtx", "--compile", "sampler"], "--compile sampler is no graph; choose of planner"),
        (
            ["--engine", "tensorrt-rtx", "--native"],
            "--native is for --engine tensorrt or onnxruntime; Triton has no backend for tensorrt-rtx",
        ),
        (["--tf32"], "--engine onnxruntime has no option tf32"),
        (["--compile", "unet"], "--engine onnxruntime compiles nothing"),
        (["--engine", "aoti", "--compile", "planner"], "--compile: planner has no AOTInductor package; --engine aoti"),
        (["--precision", "fp8"], "--precision fp8 is for --engine tensorrt or tensorrt-rtx, not onnxruntime"),
        (["--precision", "fp4"], "--precision is 'fp4'; choose one of fp32, fp16, bf16, int8, fp8"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_exported(
    tiny_bundle: Path, tmp_path: Path, options: list[str], sentence: str
) -> None:
    result = export(tiny_bundle, tmp_path / "served", *options)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.startswith("framecast: ")
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "served").exists()


def test_int8_says_and_keeps_what_it_costs(
    tiny_bundle: Path, tiny_repository: Path, compiled: Path, tmp_path: Path
) -> None:
    output = tmp_path / "served"
    result = export(tiny_bundle, output, "--precision", "int8", "--native")
    assert result.exit_code == 0, result.output
    manifest, exact = Manifest.load(output), Manifest.load(tiny_repository)
    assert {name: graph.precision for name, graph in manifest.graphs.items()} == {
        "planner": "fp32",
        "text_encoder": "fp32",
        "unet": "int8",
        "vae_decoder": "int8",
    }
    for name in ("unet", "vae_decoder"):
        assert 20 < manifest.graphs[name].parity["psnr_db"] < 80
        assert manifest.files[manifest.graphs[name].file] != exact.files[exact.graphs[name].file]
    assert manifest.checks["quantisation"]["psnr_db"] > 20
    assert "dB" in result.stderr
    engine = manifest.engine(output, "vae_decoder")
    assert [info.name for info in engine.outputs] == ["y", "u", "v", "rgb"]
    changed = replace(manifest, files={**manifest.files, manifest.graphs["unet"].file: "0"})
    with pytest.raises(InvalidRepository, match="SHA-256 differs"):
        changed.engine(output, "unet")
    assert {"text_states/1/model.onnx", "vae_graph/1/model.onnx"} <= set(manifest.files)
