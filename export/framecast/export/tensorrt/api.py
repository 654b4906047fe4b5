"""What Framecast uses of TensorRT's builder bindings, as types; see `framecast.engines.tensorrt_api`.

`OPTIONAL` lists what only some versions and flavours have. It is reached through `optional` alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class ITensor(Protocol):
    """An input or output of a network."""

    name: str
    shape: Sequence[int]
    dtype: object


class INetworkDefinition(Protocol):
    """The parsed graph."""

    num_inputs: int
    num_outputs: int

    def get_input(self, index: int) -> ITensor:
        """By position."""
        ...

    def get_output(self, index: int) -> ITensor:
        """By position."""
        ...


class IOptimizationProfile(Protocol):
    """Shape ranges of the inputs."""

    def set_shape(self, input: str, min: Sequence[int], opt: Sequence[int], max: Sequence[int]) -> None:
        """Of one input. ValueError when they are not ordered."""
        ...


class IHostMemory(Protocol):
    """Bytes that TensorRT owns; `bytes(memory)` copies them."""

    nbytes: int


class ITimingCache(Protocol):
    """Kernel timings of earlier builds."""

    def serialize(self) -> IHostMemory:
        """As bytes."""
        ...


class IBuilderConfig(Protocol):
    """How to build."""

    builder_optimization_level: int
    hardware_compatibility_level: object
    progress_monitor: object

    def set_flag(self, flag: object) -> None:
        """Sets a `BuilderFlag`."""
        ...

    def clear_flag(self, flag: object) -> None:
        """Clears a `BuilderFlag`."""
        ...

    def set_memory_pool_limit(self, pool: object, pool_size: int) -> None:
        """Bytes that a `MemoryPoolType` may take."""
        ...

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        """Its index; -1 when it is invalid."""
        ...

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache | None:
        """From bytes; empty ones make an empty cache."""
        ...

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        """False: it is from another version or GPU, and was not taken."""
        ...

    def get_timing_cache(self) -> ITimingCache | None:
        """The cache, with the timings of the build."""
        ...


class ParserError(Protocol):
    """What the ONNX parser did not like."""

    def code(self) -> object:
        """An `ErrorCode`."""
        ...

    def desc(self) -> str:
        """The reason; may be no more than a condition that is false."""
        ...

    def node_name(self) -> str:
        """Of the ONNX node; may be empty."""
        ...

    def node_operator(self) -> str:
        """Of the ONNX node; may be empty."""
        ...


class OnnxParser(Protocol):
    """Fills a network from an ONNX file."""

    num_errors: int

    def __init__(self, network: INetworkDefinition, logger: object) -> None: ...

    def parse_from_file(self, model: str) -> bool:
        """False: see the errors."""
        ...

    def get_error(self, index: int) -> ParserError:
        """By position."""
        ...


class Builder(Protocol):
    """Compiles networks."""

    def __init__(self, logger: object) -> None: ...

    def create_network(self, flags: int) -> INetworkDefinition:
        """An empty network."""
        ...

    def create_builder_config(self) -> IBuilderConfig:
        """The defaults."""
        ...

    def create_optimization_profile(self) -> IOptimizationProfile:
        """An empty profile."""
        ...

    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> IHostMemory | None:
        """The plan. None: the logger has the reason."""
        ...


class BuilderFlag(Protocol):
    """Flags that every supported version has."""

    REFIT: object
    STRIP_PLAN: object
    TF32: object
    VERSION_COMPATIBLE: object


class HardwareCompatibilityLevel(Protocol):
    """Levels that every supported version has."""

    NONE: object
    AMPERE_PLUS: object


class MemoryPoolType(Protocol):
    """Pools that every supported version has."""

    WORKSPACE: object


class NetworkDefinitionCreationFlag(Protocol):
    """Flags that every supported version has."""

    STRONGLY_TYPED: int


class Severity(Protocol):
    """`ILogger.Severity`."""

    INTERNAL_ERROR: object
    ERROR: object
    WARNING: object
    INFO: object
    VERBOSE: object


class ILogger(Protocol):
    """Base of a logger in Python: a subclass defines `log(severity, msg)`."""

    Severity: Severity


class IProgressMonitor(Protocol):
    """Base of a progress monitor in Python: a subclass defines these. They are called from several threads."""

    def phase_start(self, phase_name: str, parent_phase: str, num_steps: int) -> None:
        """A phase begins."""
        ...

    def step_complete(self, phase_name: str, step: int) -> bool:
        """A step is done. Returning False cancels the build."""
        ...

    def phase_finish(self, phase_name: str) -> None:
        """A phase ends."""
        ...


class BuilderBindings(Protocol):
    """The module."""

    Builder: type[Builder]
    OnnxParser: type[OnnxParser]
    BuilderFlag: BuilderFlag
    HardwareCompatibilityLevel: HardwareCompatibilityLevel
    MemoryPoolType: MemoryPoolType
    NetworkDefinitionCreationFlag: NetworkDefinitionCreationFlag
    ILogger: Any
    IProgressMonitor: Any

    def nptype(self, trt_type: object) -> type:
        """The NumPy type of a `DataType`; TypeError where there is none."""
        ...


OPTIONAL: Mapping[str, str] = {
    "BuilderFlag.DISTRIBUTIVE_INDEPENDENCE": "TensorRT 10.12 or TensorRT-RTX 1.4",
    "HardwareCompatibilityLevel.SAME_COMPUTE_CAPABILITY": "TensorRT 10.10",
    "ComputeCapability": "TensorRT-RTX 1.4",
    "IBuilderConfig.num_compute_capabilities": "TensorRT-RTX 1.4",
    "IBuilderConfig.set_compute_capability": "TensorRT-RTX 1.4",
}


def optional(bindings: BuilderBindings, name: str) -> Any | None:
    """A member named in `OPTIONAL`, or None where this version has none."""
    found: Any = bindings
    if name not in OPTIONAL:
        raise KeyError(name)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
