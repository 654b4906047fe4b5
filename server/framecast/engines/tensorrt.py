"""A TensorRT plan as an engine: fixed buffers, an execution context and a CUDA graph for every set of shapes.

A bucket is one set of input shapes. Its context shares the engine's weights and has just the activation memory that
these shapes need; its graph copies the inputs to the device, runs the plan and copies the outputs back, so a run is
one launch. Shapes that come again and again are what this is for: the denoise step, the text encoder and the VAE. The
planner's cache grows with every token, and it stays with ONNX Runtime.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framecast.engines.cuda import CudaStream
from framecast.engines.engine import Array, EngineOptions, TensorInfo
from framecast.engines.gpus import require_gpu
from framecast.engines.tensorrt_api import ICudaEngine, IExecutionContext, RuntimeBindings
from framecast.engines.tensorrt_flavour import Flavour, load_flavour
from framecast.errors import InvalidRepository, InvalidRequest, StageFailed

MAX_BUCKETS = 16
Shape = tuple[int, ...]
Ranges = Mapping[str, tuple[Shape, Shape]]  # input → smallest and largest shape of a profile
BucketKey = tuple[Shape, ...]  # the inputs' shapes, in the engine's order


@dataclass
class Bucket:
    """What one set of shapes has of its own."""

    context: IExecutionContext
    addresses: dict[str, int]  # of every tensor, on the device
    inputs: dict[str, NDArray[Any]]  # page-locked
    outputs: dict[str, NDArray[Any]]  # page-locked
    scratch: int
    graph: Any = field(default=None)


class TensorRtEngine:
    """A plan on the first visible GPU.

    Args:
        path: of the plan.
        options: `threads` says nothing here.
        flavour: of TensorRT that built the plan.
        max_buckets: sets of shapes kept ready; the one unused for longest makes room.

    Raises:
        InvalidRepository: no GPU, no TensorRT, or a plan that this TensorRT and GPU cannot load.
    """

    def __init__(self, path: Path, options: EngineOptions, flavour: str, max_buckets: int = MAX_BUCKETS) -> None:
        gpu = require_gpu(f"The plan {path.name}")  # before anything of TensorRT is made: it would crash later
        self._flavour: Flavour = load_flavour(flavour)
        self._trt: RuntimeBindings = self._flavour.bindings
        self._stream = CudaStream()
        self._logger = self._trt.Logger(self._trt.Logger.ERROR)
        self._runtime = self._trt.Runtime(self._logger)
        # A version-compatible plan carries code of its own. Like all of a plan it is trusted: the manifest checked it.
        self._runtime.engine_host_code_allowed = True
        engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
        if engine is None:
            raise InvalidRepository(
                f"{self._flavour.title} on {gpu.name} cannot load {path}; build the engine again on this machine."
            )
        self._engine: ICudaEngine = engine
        self.inputs, self.outputs = tensor_infos(self._trt, engine)
        self._profiles = [
            {info.name: _ends(engine, info.name, index) for info in self.inputs}
            for index in range(engine.num_optimization_profiles)
        ]
        self._max_buckets = max_buckets
        self._buckets: OrderedDict[BucketKey, Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def run(self, inputs: Mapping[str, Array], outputs: tuple[str, ...] | None = None) -> dict[str, Array]:
        """See `Engine.run`.

        Raises:
            InvalidRequest: a missing input, a wrong dtype, or a shape outside every profile.
            StageFailed: CUDA or TensorRT refused.
        """
        with self._lock:
            # 1. The bucket of these shapes, the most recently used one now.
            key = bucket_key(self.inputs, inputs)
            if key not in self._buckets:
                self._make_room()
                self._buckets[key] = self._open(key)
            self._buckets.move_to_end(key)
            bucket = self._buckets[key]

            # 2. Inputs in, one launch, outputs out.
            for name, buffer in bucket.inputs.items():
                np.copyto(buffer, inputs[name], casting="no")
            self._stream.launch(bucket.graph)
            self._stream.synchronize()
            names = outputs or tuple(info.name for info in self.outputs)
            return {name: bucket.outputs[name].copy() for name in names}

    def _open(self, key: BucketKey) -> Bucket:
        shapes = {info.name: shape for info, shape in zip(self.inputs, key, strict=True)}
        context = self._context(shapes, profile_for(self._profiles, shapes))
        size = context.update_device_memory_size_for_shapes()
        bucket = Bucket(context, {}, {}, {}, self._stream.allocate(size))
        try:
            context.set_device_memory(bucket.scratch, size)
            self._bind(bucket)
            self._queue(bucket)  # the first run of a shape does work that a graph cannot hold
            self._stream.synchronize()
            bucket.graph = self._stream.capture(lambda: self._queue(bucket))
        except BaseException:
            self._close(bucket)
            raise
        return bucket

    def _bind(self, bucket: Bucket) -> None:
        for infos, buffers in ((self.inputs, bucket.inputs), (self.outputs, bucket.outputs)):
            for info in infos:
                shape = tuple(int(length) for length in bucket.context.get_tensor_shape(info.name))
                buffers[info.name] = self._stream.pinned(np.dtype(info.dtype), shape)
                address = self._stream.allocate(buffers[info.name].nbytes)
                bucket.addresses[info.name] = address
                self._check(bucket.context.set_tensor_address(info.name, address), "bind", info.name)

    def _context(self, shapes: Mapping[str, Shape], profile: int) -> IExecutionContext:
        context = self._engine.create_execution_context(self._trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        if context is None:
            raise StageFailed("The GPU has no memory for another execution context.")
        self._check(
            context.set_optimization_profile_async(profile, self._stream.handle), "choose profile", str(profile)
        )
        self._stream.synchronize()
        for name, shape in shapes.items():
            self._check(context.set_input_shape(name, shape), "take the shape of", name)
        missing = context.infer_shapes()
        self._check(not missing, "infer shapes without", ", ".join(missing))
        return context

    def _queue(self, bucket: Bucket) -> None:
        for name, array in bucket.inputs.items():
            self._stream.to_device(bucket.addresses[name], array)
        self._check(bucket.context.execute_async_v3(self._stream.handle), "run", "the plan")
        for name, array in bucket.outputs.items():
            self._stream.to_host(array, bucket.addresses[name])

    def _make_room(self) -> None:
        while len(self._buckets) >= self._max_buckets:
            self._close(self._buckets.popitem(last=False)[1])

    def _close(self, bucket: Bucket) -> None:
        if bucket.graph is not None:
            self._stream.free_graph(bucket.graph)
        for address in (*bucket.addresses.values(), bucket.scratch):
            self._stream.free(address)
        for array in (*bucket.inputs.values(), *bucket.outputs.values()):
            self._stream.free_pinned(array)

    def _check(self, done: bool, verb: str, what: str) -> None:
        if not done:
            raise StageFailed(f"{self._flavour.title} could not {verb} {what}.")


def bucket_key(infos: Sequence[TensorInfo], inputs: Mapping[str, Array]) -> BucketKey:
    """The shapes of `inputs` in the order of `infos`.

    Raises:
        InvalidRequest: an input is missing, unknown, or of another dtype.
    """
    names = [info.name for info in infos]
    if set(names) != set(inputs):
        raise InvalidRequest("inputs", f"are {', '.join(sorted(inputs))}; the plan takes {', '.join(sorted(names))}")
    for info in infos:
        if inputs[info.name].dtype != np.dtype(info.dtype):
            raise InvalidRequest(info.name, f"is {inputs[info.name].dtype}; the plan takes {info.dtype}")
    return tuple(inputs[name].shape for name in names)


def profile_for(profiles: Sequence[Ranges], shapes: Mapping[str, Shape]) -> int:
    """Index of the first profile that takes `shapes`. Raises InvalidRequest with the first input that does not fit."""
    misfit = ""
    for index, ranges in enumerate(profiles):
        outside = [name for name, shape in shapes.items() if not _within(shape, *ranges[name])]
        if not outside:
            return index
        misfit = misfit or outside[0]
    spans = " or ".join(f"{list(low)} to {list(high)}" for low, high in (ranges[misfit] for ranges in profiles))
    raise InvalidRequest(misfit, f"has shape {list(shapes[misfit])}; the plan takes {spans}")


def tensor_infos(trt: RuntimeBindings, engine: ICudaEngine) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
    """The plan's inputs and outputs, in its order. A dynamic axis is named after its tensor and position."""
    inputs: list[TensorInfo] = []
    outputs: list[TensorInfo] = []
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        shape = enumerate(engine.get_tensor_shape(name))
        axes = tuple(int(length) if length >= 0 else f"{name}_{axis}" for axis, length in shape)
        info = TensorInfo(name, np.dtype(trt.nptype(engine.get_tensor_dtype(name))).name, axes)
        (inputs if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT else outputs).append(info)
    return tuple(inputs), tuple(outputs)


def _ends(engine: ICudaEngine, name: str, profile: int) -> tuple[Shape, Shape]:
    low, _, high = engine.get_tensor_profile_shape(name, profile)
    return tuple(low), tuple(high)


def _within(shape: Shape, low: Shape, high: Shape) -> bool:
    return len(shape) == len(low) and all(a <= n <= b for a, n, b in zip(low, shape, high, strict=True))
