"""One CUDA stream and the memory that is used on it, through NVIDIA's cuda-bindings.

cuda-bindings is imported when a stream is made. Everything is on the first visible device: a process that should use
another sets `CUDA_VISIBLE_DEVICES`.
"""

import ctypes
import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framecast.errors import InvalidRepository, StageFailed

# Function of cuda.bindings.runtime → number of its arguments. `_call` takes no other; the contract test looks them up.
FUNCTIONS: Mapping[str, int] = {
    "cudaStreamCreateWithFlags": 1,
    "cudaStreamSynchronize": 1,
    "cudaStreamBeginCapture": 2,
    "cudaStreamEndCapture": 1,
    "cudaGraphInstantiate": 2,
    "cudaGraphDestroy": 1,
    "cudaGraphExecDestroy": 1,
    "cudaGraphLaunch": 2,
    "cudaMalloc": 1,
    "cudaFree": 1,
    "cudaHostAlloc": 2,
    "cudaFreeHost": 1,
    "cudaMemcpyAsync": 5,
}
_NON_BLOCKING, _NO_FLAGS = 1, 0
_LEAST = 256  # bytes; TensorRT wants an address for an empty tensor too


class CudaStream:
    """A stream. Its methods are for one thread at a time.

    Raises:
        InvalidRepository: cuda-bindings is not installed.
    """

    def __init__(self) -> None:
        try:
            self._runtime: Any = importlib.import_module("cuda.bindings.runtime")
        except ImportError as error:
            raise InvalidRepository(
                "The package cuda-bindings is missing; run: pip install 'framecast[tensorrt]'."
            ) from error
        self._stream = self._call("cudaStreamCreateWithFlags", _NON_BLOCKING)

    @property
    def handle(self) -> int:
        """As TensorRT takes it."""
        return int(self._stream)

    def allocate(self, size: int) -> int:
        """Address of `size` bytes on the device."""
        return int(self._call("cudaMalloc", max(size, _LEAST)))

    def free(self, address: int) -> None:
        """Gives device memory back."""
        self._call("cudaFree", address)

    def pinned(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        """Zeros in page-locked host memory, which copies may be captured from. `free_pinned` gives it back."""
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        address = int(self._call("cudaHostAlloc", max(size, _LEAST), _NO_FLAGS))
        memory = np.ctypeslib.as_array((ctypes.c_uint8 * max(size, _LEAST)).from_address(address))
        memory[:] = 0
        array: NDArray[Any] = memory[:size].view(dtype).reshape(shape)
        return array

    def free_pinned(self, array: NDArray[Any]) -> None:
        """Gives page-locked memory back; `array` must not be used again."""
        self._call("cudaFreeHost", array.ctypes.data)

    def to_device(self, address: int, array: NDArray[Any]) -> None:
        """Queues a copy of page-locked memory to the device."""
        self._copy(address, array.ctypes.data, array.nbytes, "cudaMemcpyHostToDevice")

    def to_host(self, array: NDArray[Any], address: int) -> None:
        """Queues a copy from the device to page-locked memory."""
        self._copy(array.ctypes.data, address, array.nbytes, "cudaMemcpyDeviceToHost")

    def synchronize(self) -> None:
        """Waits for what was queued."""
        self._call("cudaStreamSynchronize", self._stream)

    def capture(self, queue: Callable[[], None]) -> Any:
        """What `queue` queues, as a graph to `launch`; nothing of it is executed now."""
        mode = self._runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call("cudaStreamBeginCapture", self._stream, mode)
        try:
            queue()
        finally:
            graph = self._call("cudaStreamEndCapture", self._stream)
        try:
            return self._call("cudaGraphInstantiate", graph, _NO_FLAGS)
        finally:
            self._call("cudaGraphDestroy", graph)

    def launch(self, graph: Any) -> None:
        """Queues a captured graph."""
        self._call("cudaGraphLaunch", graph, self._stream)

    def free_graph(self, graph: Any) -> None:
        """Gives a captured graph back."""
        self._call("cudaGraphExecDestroy", graph)

    def _copy(self, to: int, source: int, size: int, kind: str) -> None:
        if size:
            self._call("cudaMemcpyAsync", to, source, size, getattr(self._runtime.cudaMemcpyKind, kind), self._stream)

    def _call(self, name: str, *arguments: Any) -> Any:
        """The function's value, if it has one. Raises StageFailed with CUDA's own name of the error."""
        if FUNCTIONS[name] != len(arguments):
            raise TypeError(f"{name} takes {FUNCTIONS[name]} arguments")
        status, *values = getattr(self._runtime, name)(*arguments)
        if status != self._runtime.cudaError_t.cudaSuccess:
            raise StageFailed(f"CUDA could not do {name}: {getattr(status, 'name', status)}.")
        return values[0] if values else None
