"""How a plan is built, whatever TensorRT builds it."""

from dataclasses import dataclass, fields
from pathlib import Path

HARDWARE = ("same", "same_compute_capability", "ampere_plus")


@dataclass(frozen=True)
class BuildOptions:
    """How a plan is built.

    Precision is not here: networks are strongly typed, so it is what the ONNX file says.

    Attributes:
        workspace_bytes: scratch memory that a layer may use; None leaves TensorRT its own limit, all of the GPU.
        optimization_level: 0 (builds fastest) to 5 (looks longest); None leaves TensorRT's default, 3.
        hardware: GPUs the plan runs on: the ``same`` model it was built on, the ``same_compute_capability``, or any
            from Ampere on (``ampere_plus``). Data-centre TensorRT only.
        compute_capabilities: GPUs the plan is compiled for, for example ``(89, 120)``; empty leaves TensorRT-RTX its
            own list. TensorRT-RTX only.
        version_compatible: run on later versions too. The plan then carries a runtime that the server must be told to
            trust.
        strip_plan: leave the weights out of the plan; they are put back from the ONNX file when it is loaded. The
            engine of `framecast.engines.tensorrt` does not do that.
        refittable: weights can be replaced without another build.
        batch_invariant: along the batch, matrix products and reductions use the same operations for every row.
            TensorRT promises nothing of the kind for convolutions.
        tf32: let fp32 matrix products and convolutions round their inputs to 10 bits of mantissa.
    """

    workspace_bytes: int | None = None
    optimization_level: int | None = None
    hardware: str = "same"
    compute_capabilities: tuple[int, ...] = ()
    version_compatible: bool = False
    strip_plan: bool = False
    refittable: bool = False
    batch_invariant: bool = False
    tf32: bool = False

    def __post_init__(self) -> None:
        if self.hardware not in HARDWARE:
            raise ValueError(f"hardware is {self.hardware!r}; it must be one of {', '.join(HARDWARE)}")
        if self.workspace_bytes is not None and self.workspace_bytes < 1:
            raise ValueError(f"workspace_bytes is {self.workspace_bytes}; it must be at least 1")
        if self.optimization_level is not None and not 0 <= self.optimization_level <= 5:
            raise ValueError(f"optimization_level is {self.optimization_level}; it must be 0 to 5")

    def changed(self) -> list[str]:
        """Names of the options that are not as they are by default."""
        return [option.name for option in fields(self) if getattr(self, option.name) != option.default]


@dataclass(frozen=True)
class Folders:
    """Where builds keep what they can use again.

    Attributes:
        engines: finished plans, by content.
        timings: timing caches, one a TensorRT version and GPU.
    """

    engines: Path
    timings: Path

    @classmethod
    def under(cls, root: Path) -> "Folders":
        """Both under one directory."""
        return cls(root / "engines", root / "timings")
