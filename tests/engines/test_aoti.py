"""AOTInductor packages: a tiny decoder compiled for the CPU, run as an engine, and refused where it does not fit."""

import importlib.util
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import UNet3DConditionModel
from tests.support.tiny_families import tiny_vae

from framecast.engines import aoti
from framecast.engines.aoti import AotInductorEngine, Contract, Target
from framecast.engines.engine import EngineOptions, TensorInfo
from framecast.engines.load import load_engine, require_machine
from framecast.engines.manifest import Graph, Manifest, sha256
from framecast.errors import InvalidRepository, InvalidRequest

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="our kernels need Triton 3.9")


def _with_its_own_library(folder: Path) -> Path:
    """A compiler that links the C++ library into what it makes, as some do."""
    compiler = folder / "g++"
    header = 'case "$*" in *c++-header*) exec g++ "$@";; esac'  # nothing is linked
    compiler.write_text(f'#!/bin/sh\n{header}\nexec g++ "$@" -static-libstdc++\n')
    compiler.chmod(0o755)
    return compiler


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """The decoder's package, which its compiler has checked against torch, and what the manifest is told."""
    from framecast.export.aoti import AotInductorCompiler
    from framecast.export.bundle import Fold
    from framecast.export.graphs.decode_yuv import export_decode_yuv

    folder = tmp_path_factory.mktemp("aoti")
    exported = export_decode_yuv(tiny_vae(), Fold(), folder / "vae_decoder.onnx", opset=23)
    with torch._inductor.config.patch({"cpp.cxx": (None, str(_with_its_own_library(folder)))}):
        compiled = AotInductorCompiler().compile("vae_decoder", exported, None)  # type: ignore[arg-type]
    assert exported.graph.module.vae.decoder.conv_in.weight.is_contiguous()
    return compiled.path, dict(compiled.build)


def test_the_package_computes_what_torch_does(package: tuple[Path, dict[str, object]]) -> None:
    path, build = package
    parity = build["parity"]
    assert isinstance(parity, dict)
    assert 0 <= parity["max_abs_error"] < 1e-4
    assert build["ops"] == {"group_norm_silu": 24, "geglu": 0}
    engine = load_engine("aoti", path, EngineOptions())
    assert [info.name for info in engine.inputs] == ["latents"]
    assert (engine.outputs[0].name, engine.outputs[0].dtype) == ("y", "uint8")
    latents = np.random.default_rng(0).standard_normal((5, 4, 3, 2), dtype=np.float32)
    both = engine.run({"latents": latents})
    alone = engine.run({"latents": latents[3:4].copy()}, outputs=("y", "rgb"))
    assert set(alone) == {"y", "rgb"}
    assert both["y"].shape == (5, 6, 4)
    np.testing.assert_allclose(both["rgb"][3:4], alone["rgb"], atol=1e-5)


def test_float32_is_convolved_as_such(package: tuple[Path, dict[str, object]]) -> None:
    with torch.backends.cudnn.flags(allow_tf32=True):
        load_engine("aoti", package[0])
        assert not torch.backends.cudnn.allow_tf32


def test_the_package_has_no_cpp_library_of_its_own(package: tuple[Path, dict[str, object]], tmp_path: Path) -> None:
    """With two of them in a process it may die as the package is loaded: they exchange parts of locales."""
    with zipfile.ZipFile(package[0]) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".so")]
        library = archive.extract(name, tmp_path)
    needed = subprocess.run(["readelf", "-d", library], check=True, capture_output=True, text=True).stdout
    assert "NEEDED" in needed
    assert "[libstdc++.so.6]" in needed
    symbols = subprocess.run(["nm", "-C", library], check=True, capture_output=True, text=True).stdout
    defined = [line for line in symbols.splitlines() if " U " not in line]
    assert len(defined) > 100
    assert not [line for line in defined if "std::locale::" in line or "std::ctype<char>::" in line]


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (1, 1, 4, 4), (2, 5, 4, 4), (2, 4, 4, 4, 4), (4, 4, 4), (0,)])
def test_a_shape_of_another_model_is_refused(package: tuple[Path, dict[str, object]], shape: tuple[int, ...]) -> None:
    """The package itself would read beyond what it is given."""
    engine = load_engine("aoti", package[0])
    with pytest.raises(InvalidRequest, match=re.escape(f"latents: has shape {list(shape)}; the package takes [")):
        engine.run({"latents": np.zeros(shape, np.float32)})


def test_axes_of_one_name_are_as_long_in_every_input() -> None:
    inputs = (TensorInfo("x", "float32", ("s0", 4, "8*s1")), TensorInfo("y", "float32", ("s0", 4)))
    aoti._require_shapes(inputs, {"x": (3, 4, 16), "y": (3, 4)})
    with pytest.raises(InvalidRequest, match=r"y: has shape \[2, 4\]; the package takes \['s0', 4\]"):
        aoti._require_shapes(inputs, {"x": (3, 4, 16), "y": (2, 4)})


def test_a_denoise_step_takes_axes_of_one_and_any_number_of_images(tmp_path: Path) -> None:
    """Its trace asserts that axes are more than 1; the compiler checks one frame, and 72 images.

    One level, text in the middle only, loops that are not vectorised and calls that are not optimised, for the time it
    takes. The decoder's are, and the rest of a UNet is compared where a bundle is exported.
    """
    from framecast.export.aoti import AotInductorCompiler
    from framecast.export.graphs.denoise_step import export_denoise_step

    torch.manual_seed(0)
    levels = {"down_block_types": ("DownBlock3D",), "up_block_types": ("UpBlock3D",)}
    sizes = {"block_out_channels": (8,), "layers_per_block": 1, "cross_attention_dim": 16, "attention_head_dim": 8}
    unet = UNet3DConditionModel(in_channels=4, out_channels=4, norm_num_groups=4, **levels, **sizes).eval()
    exported = export_denoise_step(unet, tmp_path / "unet.onnx", opset=23)
    with torch._inductor.config.patch({"cpp.simdlen": 1, "aot_inductor.compile_wrapper_opt_level": "O0"}):
        compiled = AotInductorCompiler().compile("unet", exported, None)  # type: ignore[arg-type]
    assert compiled.build["ops"]["group_norm_silu"] > 20
    assert 0 < compiled.build["parity"]["max_abs_error"] < 1e-4
    engine = load_engine("aoti", compiled.path, EngineOptions())
    shapes = {info.name: info.shape for info in engine.inputs}
    assert [isinstance(axis, str) for axis in shapes["latents"]] == [True, True, False, True, True]


def test_a_manifest_opens_it_and_refuses_a_changed_one(package: tuple[Path, dict[str, object]], tmp_path: Path) -> None:
    copy = tmp_path / "vae.pt2"
    copy.write_bytes(package[0].read_bytes())
    graph = Graph("vae.pt2", "aoti", "fp32", 23)
    manifest = Manifest("", "tiny", {}, {"vae_decoder": graph}, {}, {"vae.pt2": sha256(copy)})
    manifest.require_machine()
    assert isinstance(manifest.engine(tmp_path, "vae_decoder"), AotInductorEngine)
    with copy.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(InvalidRepository, match="SHA-256 differs"):
        manifest.engine(tmp_path, "vae_decoder")


@pytest.mark.parametrize(
    "change", [{"torch": "2.1"}, {"device": "cuda"}, {"instructions": "SVE2"}], ids=["torch", "device", "instructions"]
)
def test_a_package_for_something_else_is_refused(
    package: tuple[Path, dict[str, object]], tmp_path: Path, change: dict[str, str]
) -> None:
    contract = Contract.of(package[0])
    other = replace(contract, target=replace(contract.target, **change))
    path = _archive(tmp_path / "other.pt2", {aoti.METADATA: other.to_json()})
    with pytest.raises(InvalidRepository, match=r"wants an NVIDIA GPU|was compiled for torch .*: export it again\."):
        AotInductorEngine(path, EngineOptions())


def test_inputs_that_do_not_fit_are_named(package: tuple[Path, dict[str, object]]) -> None:
    engine = load_engine("aoti", package[0])
    with pytest.raises(InvalidRequest, match="latents"):
        engine.run({})
    with pytest.raises(InvalidRequest, match="the package takes float32"):
        engine.run({"latents": np.zeros((1, 4, 2, 2))})


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.pt2"
    text.write_text("no archive", encoding="utf-8")
    for path in (text, tmp_path / "missing.pt2", _archive(tmp_path / "empty.pt2", {})):
        with pytest.raises(InvalidRepository, match="is not an AOTInductor package of ours"):
            AotInductorEngine(path, EngineOptions())


def test_without_torch_it_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    find: Callable[..., object] = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else find(name, *rest))
    with pytest.raises(InvalidRepository, match=r"^The graph unet needs torch, which is missing; run: pip install"):
        require_machine("aoti", "The graph unet")


def test_without_a_compiler_nothing_is_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    from framecast.export.compilers import compiler_for
    from framecast.export.options import ExportOptions

    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InvalidRepository, match=r"needs a C\+\+ compiler"):
        compiler_for(ExportOptions(Path(), engine="aoti"))


def _archive(path: Path, metadata: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data/aotinductor/model/x_metadata.json", json.dumps(metadata))
    return path


def test_this_machine_is_a_target() -> None:
    here = Target.here("cpu")
    assert here.device == "cpu"
    assert here.torch.count(".") == 1
