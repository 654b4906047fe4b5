"""A served repository's ONNX graphs as plans: what `framecast export --engine tensorrt` does after exporting.

The planner stays with ONNX Runtime. Its cache grows with every token, and the engine prepares every shape on its own.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from framecast.engines.tensorrt_flavour import Flavour
from framecast.export.tensorrt.build import build_plan
from framecast.export.tensorrt.onnx_file import onnx_inputs
from framecast.export.tensorrt.options import BuildOptions, Folders
from framecast.export.tensorrt.planes import write_plane_graph
from framecast.export.tensorrt.profiles import PROFILES, ServingLimits

OPSET = 18  # TensorRT has no kernel for most `Attention` nodes of later opsets
GRAPHS = ("text_encoder", "unet", "vae_decoder")


def serving_limits(
    root: Path, *, size: tuple[int, int], chunk_latents: int, max_batch: int = 8, context: int = 1024
) -> ServingLimits:
    """The limits of the repository at `root`, from the settings that the exporter wrote.

    Args:
        root: the served repository.
        size: usual (height, width) in pixels.
        chunk_latents: usually decoded together.
        max_batch: segments in one denoise step; `BatcherLimits.max_batch` when served.
        context: positions of the planner.
    """
    denoiser = json.loads((root / "denoiser" / "1" / "settings.json").read_text(encoding="utf-8"))
    downscale = denoiser["downscale"]
    return ServingLimits.of(
        max_batch=max_batch,
        segment_latents=denoiser["max_latents"],
        chunk_latents=chunk_latents,
        size=(size[0] // downscale, size[1] // downscale),
        max_side=denoiser["max_side"] // downscale,
        multiple=denoiser["size_multiple"] // downscale,
        max_tokens=denoiser["max_tokens"],
        context=context,
    )


def compile_graph(
    name: str,
    onnx: Path,
    limits: ServingLimits,
    flavour: Flavour,
    folders: Folders,
    options: BuildOptions | None = None,
    console: Console | None = None,
) -> Path:
    """The plan of one graph, in the cache. Raises EngineBuildError."""
    return build_plan(flavour, onnx, PROFILES[name](limits, onnx_inputs(onnx)), folders, options, console).path


def compile_graphs(
    graphs: Mapping[str, Path],
    limits: ServingLimits,
    flavour: Flavour,
    folders: Folders,
    options: BuildOptions | None = None,
    console: Console | None = None,
) -> dict[str, Path]:
    """Puts a plan in the place of each ONNX file.

    Args:
        graphs: graph → its ONNX file in the repository, at opset 18; those not in `GRAPHS` stay as they are.
        limits: see `serving_limits`.
        flavour: the TensorRT that builds, and will load.
        folders, options, console: see `build_plan`.

    Returns:
        Graph → its plan in the repository. The ONNX files are gone.

    Raises:
        EngineBuildError: a graph cannot be built.
        InvalidRepository: data-centre TensorRT and no GPU.
    """
    plans = {}
    for name in GRAPHS:
        onnx = graphs[name]
        if name == "vae_decoder":
            write_plane_graph(onnx, onnx)
        plan = compile_graph(name, onnx, limits, flavour, folders, options, console)
        plans[name] = Path(shutil.copyfile(plan, onnx.with_suffix(".plan")))
        onnx.unlink()
    return plans
