"""The graphs that Triton's own backends serve, added to a served repository for one container flavour."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from framecast.errors import InvalidRepository
from framecast.export.onnx_graph import weights_beside
from framecast.export.tensorrt.planes import write_plane_graph
from framecast.stages.flavours import (
    BACKENDS,
    NATIVE,
    NativeModel,
    NativeSizes,
    native_config,
    text_sizes,
    vae_sizes,
    write_stage_configs,
)

Compile = Callable[[str, Path], Path]  # (graph's name, its ONNX file) → the plan


def native_sizes(
    root: Path, *, size: tuple[int, int], chunk_latents: int, max_prompts: int = 16
) -> Mapping[str, NativeSizes]:
    """Graph → sizes, from the settings that the exporter wrote under `root`.

    Args:
        root: the served repository.
        size: usual (height, width) in pixels.
        chunk_latents: usually decoded together.
        max_prompts: encoded together at most.
    """
    denoiser = json.loads((root / "denoiser" / "1" / "settings.json").read_text(encoding="utf-8"))
    latent = (denoiser["channels"], *(side // denoiser["downscale"] for side in size))
    chunk = min(chunk_latents, denoiser["max_latents"])
    return {
        "text_encoder": text_sizes(denoiser["max_tokens"], max_prompts),
        "vae_decoder": vae_sizes(latent, chunk, denoiser["max_latents"]),
    }


def write_native_models(
    root: Path,
    flavour: str,
    graphs: Mapping[str, Path],
    sizes: Mapping[str, NativeSizes],
    frames: int,
    compile_plan: Compile | None = None,
) -> list[Path]:
    """Writes `text_states` and `vae_graph` for one flavour, and the stages' configs for all.

    Args:
        root: the served repository.
        flavour: of `framecast.stages.flavours.BACKENDS`.
        graphs: graph → ONNX file; for TensorRT at opset 18 to 20.
        sizes: see `native_sizes`.
        frames: of one latent.
        compile_plan: makes TensorRT plans.

    Returns:
        The model files.

    Raises:
        InvalidRepository: an unknown flavour, or TensorRT without a `compile_plan`.
    """
    if flavour not in BACKENDS:
        raise InvalidRepository(f"There is no flavour {flavour!r}; choose {' or '.join(BACKENDS)}.")
    if flavour == "tensorrt" and compile_plan is None:
        raise InvalidRepository("The flavour tensorrt needs TensorRT to build its plans.")
    files = [_write(root, native, flavour, graphs, sizes[native.graph], frames, compile_plan) for native in NATIVE]
    write_stage_configs(root)
    return files


def _write(
    root: Path,
    native: NativeModel,
    flavour: str,
    graphs: Mapping[str, Path],
    sizes: NativeSizes,
    frames: int,
    compile_plan: Compile | None,
) -> Path:
    folder = root / native.name
    file = folder / "1" / BACKENDS[flavour][0]
    file.parent.mkdir(parents=True, exist_ok=True)
    onnx = graphs[native.graph]
    if native.folded:
        onnx = folder / f"{native.graph}.onnx"  # beside the version folder: nothing that Triton loads
        write_plane_graph(graphs[native.graph], onnx, frames)
    shutil.copyfile(compile_plan(native.graph, onnx) if compile_plan else onnx, file)
    if not compile_plan and weights_beside(onnx).is_file():
        shutil.copyfile(weights_beside(onnx), file.with_name(weights_beside(onnx).name))
    if native.folded:
        onnx.unlink()
    config = folder / "configs" / f"{flavour}.pbtxt"
    config.parent.mkdir(exist_ok=True)
    config.write_text(native_config(native, flavour, sizes), encoding="utf-8")
    return file
