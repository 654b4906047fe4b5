"""What Framecast uses of TensorRT's runtime bindings, as types.

The bindings have no stubs. These protocols are the only view of them that mypy has, so code cannot touch a name that
is not here, and `tests/export/test_tensorrt_contract.py` looks every name and parameter up in the real bindings of
several versions. A protocol's name is the binding's own.
"""

from collections.abc import Sequence
from typing import Protocol


class TensorIOMode(Protocol):
    """Whether an I/O tensor is an input."""

    INPUT: object
    OUTPUT: object


class ExecutionContextAllocationStrategy(Protocol):
    """Who allocates a context's activation memory."""

    USER_MANAGED: object


class IExecutionContext(Protocol):
    """One set of shapes, addresses and activation memory of an engine."""

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
        """Chooses the profile. False: refused."""
        ...

    def set_input_shape(self, name: str, shape: Sequence[int]) -> bool:
        """Fixes an input's shape. False: outside the profile."""
        ...

    def infer_shapes(self) -> Sequence[str]:
        """Names of the inputs whose shape is still missing; none when all shapes are known."""
        ...

    def get_tensor_shape(self, name: str) -> Sequence[int]:
        """The shape under the input shapes that were set."""
        ...

    def update_device_memory_size_for_shapes(self) -> int:
        """Bytes of activation memory that the shapes which were set need."""
        ...

    def set_device_memory(self, memory: int, size: int) -> None:
        """Gives the context its activation memory."""
        ...

    def set_tensor_address(self, name: str, memory: int) -> bool:
        """Binds device memory."""
        ...

    def execute_async_v3(self, stream_handle: int) -> bool:
        """Queues one inference on a CUDA stream."""
        ...


class ICudaEngine(Protocol):
    """A deserialised plan: the weights, shared by its contexts."""

    num_io_tensors: int
    num_optimization_profiles: int

    def get_tensor_name(self, index: int) -> str:
        """Of an I/O tensor."""
        ...

    def get_tensor_mode(self, name: str) -> object:
        """A `TensorIOMode`."""
        ...

    def get_tensor_shape(self, name: str) -> Sequence[int]:
        """-1 for a dynamic axis."""
        ...

    def get_tensor_dtype(self, name: str) -> object:
        """A `DataType`."""
        ...

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> Sequence[Sequence[int]]:
        """Minimum, optimum and maximum of an input."""
        ...

    def create_execution_context(self, strategy: object) -> IExecutionContext | None:
        """A context over the engine's weights. None: out of memory."""
        ...


class Runtime(Protocol):
    """Deserialises plans. Must not be created without a GPU."""

    engine_host_code_allowed: bool

    def __init__(self, logger: object) -> None: ...

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
        """None: the plan is for another version or GPU."""
        ...


class Logger(Protocol):
    """Prints TensorRT's messages to stderr."""

    ERROR: object

    def __init__(self, min_severity: object) -> None: ...


class RuntimeBindings(Protocol):
    """The module."""

    Logger: type[Logger]
    Runtime: type[Runtime]
    TensorIOMode: TensorIOMode
    ExecutionContextAllocationStrategy: ExecutionContextAllocationStrategy

    def nptype(self, trt_type: object) -> type:
        """The NumPy type of a `DataType`; TypeError where there is none."""
        ...
