"""How a bundle is exported."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ExportOptions:
    """How a bundle is exported.

    Attributes:
        engine: the runtime that will load the graphs.
        opset: of the ONNX files; 23 is the fastest for ONNX Runtime on the CPU.
        precision: of UNet and VAE, a name in `framecast.export.precision`. Text encoder and planner stay single:
            they are a few milliseconds of a video, and their words decide all of it.
        max_steps: sampler tables are made for 1 to this many steps.
        max_side: largest height or width served, pixels.
        models: the Triton models to copy, `model_repository/`.
    """

    models: Path
    engine: str = "onnxruntime"
    opset: int = 23
    precision: str = "fp32"
    max_steps: int = 50
    max_side: int = 1024
