"""How a bundle is exported."""

from dataclasses import dataclass, field
from pathlib import Path

from framecast.export.tensorrt.options import BuildOptions
from framecast.stages.flavours import BACKENDS

GRAPHS = ("planner", "text_encoder", "unet", "vae_decoder")


@dataclass(frozen=True)
class ExportOptions:
    """How a bundle is exported.

    Attributes:
        models: the Triton models to copy, `model_repository/`.
        engine: what will compute the graphs, ``onnxruntime`` or a name in `framecast.export.compilers`.
        opset: of the ONNX files that are served as they are; 23 is the fastest for ONNX Runtime on the CPU.
        precision: of UNet and VAE, a name in `framecast.export.precision`. Text encoder and planner stay single:
            they are a few milliseconds of a video, and their words decide all of it.
        max_steps: sampler tables are made for 1 to this many steps.
        max_side: largest height or width served, pixels.
        max_batch: segments in one step of a compiled UNet; `framecast.denoiser.batcher.BatcherLimits` has the same.
        compile: graphs that `engine` compiles; empty for those that it compiles best.
        safety_checker: export the bundle's own, where it has one, so that pictures are reviewed.
        native: add the models that Triton's own backends serve, in the flavour of `engine`.
        plan: how TensorRT builds.
        cache: folder of traced graphs and compiled engines, used again for equal content; None keeps nothing. It is no
            part of what is exported.
    """

    models: Path
    engine: str = "onnxruntime"
    opset: int = 23
    precision: str = "fp32"
    max_steps: int = 50
    max_side: int = 1024
    max_batch: int = 8
    compile: tuple[str, ...] = ()
    safety_checker: bool = True
    native: bool = False
    plan: BuildOptions = field(default_factory=BuildOptions)
    cache: Path | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.compile if name not in GRAPHS]
        if unknown:
            raise ValueError(f"--compile {unknown[0]} is no graph; choose of {', '.join(GRAPHS)}")
        if self.native and self.engine not in BACKENDS:
            raise ValueError(
                f"--native is for --engine {' or '.join(BACKENDS)}; Triton has no backend for {self.engine}"
            )
