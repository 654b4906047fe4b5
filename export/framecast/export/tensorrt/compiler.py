"""Plans for a served repository: what `framecast export --engine tensorrt` and `tensorrt-rtx` do after exporting.

The planner stays with ONNX Runtime unless it is asked for. Its cache grows with every token, and the engine prepares
every shape on its own.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from framecast.engines.gpus import require_gpu
from framecast.engines.tensorrt_flavour import TENSORRT, TENSORRT_RTX, Flavour, load_flavour
from framecast.export.compilers import Compiled
from framecast.export.options import ExportOptions
from framecast.export.tensorrt.build import build_plan, build_target, check_options
from framecast.export.tensorrt.onnx_file import onnx_inputs
from framecast.export.tensorrt.options import BuildOptions, Folders
from framecast.export.tensorrt.plan import Plan
from framecast.export.tensorrt.planes import write_plane_graph
from framecast.export.tensorrt.profiles import PROFILES, ServingLimits

if TYPE_CHECKING:
    from framecast.export.exported import Exported

OPSET = 18  # TensorRT has no kernel for most `Attention` nodes of later opsets
GRAPHS = ("text_encoder", "unet", "vae_decoder")


class TensorRtCompiler:
    """Builds plans.

    Args:
        flavour: the TensorRT that builds, and will load.
        folders: of the caches.
        options: see `BuildOptions`.
        graphs: to compile.
        console: shows the progress; None shows nothing.

    Raises:
        EngineBuildError: this TensorRT has no such option.
        InvalidRepository: data-centre TensorRT and no GPU, or an option that needs one.
    """

    opset = OPSET

    def __init__(
        self,
        flavour: Flavour,
        folders: Folders,
        options: BuildOptions | None = None,
        graphs: Sequence[str] = GRAPHS,
        console: Console | None = None,
    ) -> None:
        self._flavour, self._folders, self._console = flavour, folders, console
        self._options = options or BuildOptions()
        self.graphs = graphs
        self._target = build_target(flavour, self._options)
        check_options(flavour, self._options)

    @property
    def identity(self) -> Mapping[str, str]:
        """See `Compiler.identity`."""
        return {self._flavour.name: self._flavour.version, "target": self._target}

    def compile(self, name: str, exported: "Exported", limits: ServingLimits) -> Compiled:
        """See `Compiler.compile`. Raises EngineBuildError."""
        return self.compile_file(name, exported.path, limits)

    def compile_file(self, name: str, onnx: Path, limits: ServingLimits) -> Compiled:
        """The plan of the ONNX file of graph `name`, put beside it. Raises EngineBuildError."""
        if name == "vae_decoder":
            write_plane_graph(onnx, onnx)
        plan = self.plan(name, onnx, limits)
        copy = Path(shutil.copyfile(plan.path, onnx.with_suffix(".plan")))
        return Compiled(copy, self._flavour.name, description(plan))

    def plan(self, name: str, onnx: Path, limits: ServingLimits) -> Plan:
        """The same in the cache; a VAE's graph as `write_plane_graph` leaves it. Raises EngineBuildError."""
        profiles = PROFILES[name](limits, onnx_inputs(onnx))
        return build_plan(self._flavour, onnx, profiles, self._folders, self._options, self._console)


def data_centre(options: ExportOptions, console: Console | None) -> TensorRtCompiler:
    """For ``--engine tensorrt``. Raises as `TensorRtCompiler` does."""
    require_gpu("Building with TensorRT")  # what is missing first, whether TensorRT is installed or not
    return _compiler(TENSORRT, options, console)


def rtx(options: ExportOptions, console: Console | None) -> TensorRtCompiler:
    """For ``--engine tensorrt-rtx``. Raises as `TensorRtCompiler` does."""
    return _compiler(TENSORRT_RTX, options, console)


def _compiler(flavour: str, options: ExportOptions, console: Console | None) -> TensorRtCompiler:
    # A plan is executable: where no cache is named, it is the user's own and not one that others can write to.
    own = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "framecast"
    folders = Folders.under(options.cache or own)
    return TensorRtCompiler(load_flavour(flavour), folders, options.plan, options.compile or GRAPHS, console)


def description(plan: Plan) -> dict[str, Any]:
    """A plan for the manifest: the digest of its ONNX file, flavour, version, target, options and profiles."""
    return {**json.loads(plan.request), "seconds": plan.seconds}


def serving_limits(root: Path, *, size: tuple[int, int], chunk_latents: int, context: int = 1024) -> ServingLimits:
    """The limits of the repository at `root`, from the settings that the exporter wrote.

    Args:
        root: the served repository.
        size: usual (height, width) in pixels.
        chunk_latents: usually decoded together.
        context: positions of the planner.
    """
    denoiser = json.loads((root / "denoiser" / "1" / "settings.json").read_text(encoding="utf-8"))
    downscale = denoiser["downscale"]
    return ServingLimits.of(
        max_batch=denoiser["max_batch"],
        segment_latents=denoiser["max_latents"],
        chunk_latents=chunk_latents,
        size=(size[0] // downscale, size[1] // downscale),
        max_side=denoiser["max_side"] // downscale,
        multiple=denoiser["size_multiple"] // downscale,
        max_tokens=denoiser["max_tokens"],
        context=context,
    )
