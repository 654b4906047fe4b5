"""The TensorRT engine as far as it goes without a GPU: choices and checks, and its calls against a stand-in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from framecast.engines import cuda, gpus, tensorrt
from framecast.engines.engine import EngineOptions, TensorInfo
from framecast.engines.gpus import Gpu, require_gpu, visible_gpus
from framecast.engines.tensorrt import Ranges, TensorRtEngine, bucket_key, profile_for
from framecast.engines.tensorrt_flavour import TENSORRT, Flavour, load_flavour
from framecast.errors import InvalidRepository, InvalidRequest, StageFailed

INFOS = (TensorInfo("x", "float32", ("x_0", 4)), TensorInfo("ids", "int64", ("ids_0",)))


def test_a_key_is_the_shapes_in_the_plans_order() -> None:
    x, ids = np.zeros((2, 4), np.float32), np.zeros(3, np.int64)
    assert bucket_key(INFOS, {"ids": ids, "x": x}) == ((2, 4), (3,))
    with pytest.raises(InvalidRequest, match="inputs: are x; the plan takes ids, x"):
        bucket_key(INFOS, {"x": x})
    with pytest.raises(InvalidRequest, match="ids: is int32; the plan takes int64"):
        bucket_key(INFOS, {"x": x, "ids": ids.astype(np.int32)})


def test_the_first_profile_that_fits_is_taken() -> None:
    profiles: list[Ranges] = [
        {"x": ((1, 4), (2, 4)), "ids": ((0,), (0,))},
        {"x": ((1, 4), (8, 4)), "ids": ((1,), (9,))},
    ]
    assert profile_for(profiles, {"x": (2, 4), "ids": (0,)}) == 0
    assert profile_for(profiles, {"x": (2, 4), "ids": (1,)}) == 1
    with pytest.raises(InvalidRequest, match=r"x: has shape \[9, 4\]; the plan takes \[1, 4\] to \[2, 4\] or \[1, 4\]"):
        profile_for(profiles, {"x": (9, 4), "ids": (0,)})
    with pytest.raises(InvalidRequest, match="x: has shape"):
        profile_for(profiles, {"x": (2, 4, 1), "ids": (0,)})


def test_without_a_driver_there_is_no_gpu_and_the_sentence_says_who_needed_one() -> None:
    assert visible_gpus("libno-such-driver.so.1") == ()
    with pytest.raises(InvalidRepository, match=r"^The plan x needs an NVIDIA GPU and this process sees none; .*\.$"):
        require_gpu("The plan x", "libno-such-driver.so.1")


def test_the_driver_is_asked_for_name_and_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    class Driver:
        status = 0

        def cuInit(self, flags: int) -> int:  # noqa: N802
            return self.status

        def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802
            count._obj.value = 2
            return 0

        def cuDeviceGet(self, device: Any, index: int) -> int:  # noqa: N802
            device._obj.value = index
            return 0

        def cuDeviceGetName(self, name: Any, size: int, device: Any) -> int:  # noqa: N802
            name.value = b"GPU %d" % device.value
            return 0

        def cuDeviceGetAttribute(self, value: Any, attribute: int, device: Any) -> int:  # noqa: N802
            value._obj.value = {75: 8, 76: 9}[attribute]
            return 0

    monkeypatch.setattr(gpus.ctypes, "CDLL", lambda name: Driver())
    assert visible_gpus() == (Gpu("GPU 0", 89), Gpu("GPU 1", 89))
    monkeypatch.setattr(Driver, "status", 100)  # CUDA_ERROR_NO_DEVICE
    assert visible_gpus() == ()


def test_no_runtime_is_made_without_a_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def used(*_: object) -> None:
        raise AssertionError("TensorRT was loaded")

    monkeypatch.setattr(gpus, "visible_gpus", lambda driver: ())
    monkeypatch.setattr(tensorrt, "load_flavour", used)
    with pytest.raises(InvalidRepository, match=r"^The plan unet\.plan needs an NVIDIA GPU"):
        TensorRtEngine(tmp_path / "unet.plan", EngineOptions(), TENSORRT)


def test_what_is_not_installed_is_said_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InvalidRepository, match=r"^TensorRT is not installed \(for tensorrt, use .*; for tensorrt_rtx"):
        load_flavour()
    with pytest.raises(InvalidRepository, match=r"pip install 'framecast\[tensorrt-rtx\]'\)\.$"):
        load_flavour("tensorrt_rtx")
    with pytest.raises(InvalidRepository, match="no TensorRT flavour 'magic'"):
        load_flavour("magic")


@dataclass
class Done:
    """What the stand-in for TensorRT and CUDA was told to do, in order, and the memory that is allocated."""

    calls: list[str] = field(default_factory=list)
    device: dict[int, Any] = field(default_factory=dict)


class Stream:
    """The interface of `CudaStream` over host memory. Copies and runs are queued and happen at `synchronize`."""

    handle = 7

    def __init__(self, done: Done) -> None:
        self.done, self.queue = done, []
        self.pinned_arrays: list[int] = []

    def allocate(self, size: int) -> int:
        self.done.device[len(self.done.calls) + 1000 * (len(self.done.device) + 1)] = None
        return list(self.done.device)[-1]

    def free(self, address: int) -> None:
        del self.done.device[address]

    def pinned(self, dtype: Any, shape: tuple[int, ...]) -> Any:
        array = np.zeros(shape, dtype)
        self.pinned_arrays.append(id(array))
        return array

    def free_pinned(self, array: Any) -> None:
        self.pinned_arrays.remove(id(array))

    def to_device(self, address: int, array: Any) -> None:
        self.queue.append(lambda: self.done.device.__setitem__(address, array.copy()))

    def to_host(self, array: Any, address: int) -> None:
        self.queue.append(lambda: np.copyto(array, self.done.device[address]))

    def synchronize(self) -> None:
        queue, self.queue = self.queue, []
        for step in queue:
            step()

    def capture(self, queue: Any) -> Any:
        self.done.calls.append("capture")
        assert not self.queue
        queue()
        graph, self.queue = self.queue, []
        return graph

    def launch(self, graph: Any) -> None:
        self.done.calls.append("launch")
        self.queue += graph

    def free_graph(self, graph: Any) -> None:
        self.done.calls.append("free graph")


class Context:
    """y = 2x, of any shape."""

    refuses = ""

    def __init__(self, stream: Stream) -> None:
        self.stream, self.shape, self.addresses = stream, (), {}

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
        self.stream.done.calls.append(f"profile {profile_index} on {stream_handle}")
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shape = shape
        return self.refuses != "shape"

    def infer_shapes(self) -> Sequence[str]:
        return ["z"] if self.refuses == "infer" else []

    def update_device_memory_size_for_shapes(self) -> int:
        return 4096

    def set_device_memory(self, memory: int, size: int) -> None:
        self.stream.done.calls.append(f"scratch {size}")

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self.shape

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self.addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        memory, addresses = self.stream.done.device, self.addresses
        self.stream.queue.append(lambda: memory.__setitem__(addresses["y"], memory[addresses["x"]] * 2))
        return self.refuses != "run"


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> tuple[Done, Stream]:
    """TensorRT, CUDA and a GPU, pretended."""
    done = Done()
    stream = Stream(done)
    modes = SimpleNamespace(INPUT="input", OUTPUT="output")

    class Engine:
        num_io_tensors, num_optimization_profiles = 2, 1

        def get_tensor_name(self, index: int) -> str:
            return "xy"[index]

        def get_tensor_mode(self, name: str) -> str:
            return {"x": "input", "y": "output"}[name]

        def get_tensor_shape(self, name: str) -> tuple[int, ...]:
            return (-1, 3)

        def get_tensor_dtype(self, name: str) -> str:
            return "FLOAT"

        def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
            return [(1, 3), (2, 3), (8, 3)]

        def create_execution_context(self, strategy: object) -> Context:
            done.calls.append(f"context {strategy}")
            return Context(stream)

    class Runtime:
        def __init__(self, logger: object) -> None: ...

        def deserialize_cuda_engine(self, plan: bytes) -> Engine | None:
            return Engine() if plan == b"plan" else None

    bindings = SimpleNamespace(
        Logger=type("Logger", (), {"ERROR": 1, "__init__": lambda self, severity: None}),
        Runtime=Runtime,
        TensorIOMode=modes,
        ExecutionContextAllocationStrategy=SimpleNamespace(USER_MANAGED="user managed"),
        nptype=lambda dtype: {"FLOAT": np.float32}[dtype],
    )
    monkeypatch.setattr(gpus, "visible_gpus", lambda driver: (Gpu("a GPU", 90),))
    monkeypatch.setattr(tensorrt, "load_flavour", lambda name: Flavour(name, "10.4", bindings))
    monkeypatch.setattr(tensorrt, "CudaStream", lambda: stream)
    return done, stream


def plan(tmp_path: Path, content: bytes = b"plan") -> Path:
    path = tmp_path / "x.plan"
    path.write_bytes(content)
    return path


def test_a_shape_is_prepared_once_and_then_launched(stand_in: tuple[Done, Stream], tmp_path: Path) -> None:
    done, _ = stand_in
    engine = TensorRtEngine(plan(tmp_path), EngineOptions(), TENSORRT)
    assert engine.inputs == (TensorInfo("x", "float32", ("x_0", 3)),)
    assert engine.outputs == (TensorInfo("y", "float32", ("y_0", 3)),)
    first, second = np.ones((2, 3), np.float32), np.full((2, 3), 5, np.float32)
    kept = engine.run({"x": first})["y"]
    np.testing.assert_array_equal(engine.run({"x": second}, ("y",))["y"], second * 2)
    np.testing.assert_array_equal(kept, first * 2)  # not the buffer that the second run wrote to
    assert done.calls == ["context user managed", "profile 0 on 7", "scratch 4096", "capture", "launch", "launch"]
    with pytest.raises(InvalidRequest, match=r"x: has shape \[9, 3\]"):
        engine.run({"x": np.ones((9, 3), np.float32)})


def test_the_bucket_unused_for_longest_makes_room_and_leaves_nothing(
    stand_in: tuple[Done, Stream], tmp_path: Path
) -> None:
    done, stream = stand_in
    engine = TensorRtEngine(plan(tmp_path), EngineOptions(), TENSORRT, max_buckets=2)
    for length in (1, 2, 1, 3):
        engine.run({"x": np.ones((length, 3), np.float32)})
    assert list(engine._buckets) == [((1, 3),), ((3, 3),)]
    assert done.calls.count("free graph") == 1
    assert len(done.device) == 2 * 3  # two buckets, each with x, y and scratch
    assert len(stream.pinned_arrays) == 2 * 2


@pytest.mark.parametrize(
    ("refuses", "sentence"), [("shape", "take the shape of x"), ("infer", "z"), ("run", "run the")]
)
def test_a_refusal_of_tensorrt_is_an_error(
    refuses: str, sentence: str, stand_in: tuple[Done, Stream], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Context, "refuses", refuses)
    engine = TensorRtEngine(plan(tmp_path), EngineOptions(), TENSORRT)
    with pytest.raises(StageFailed, match=sentence):
        engine.run({"x": np.ones((2, 3), np.float32)})
    done, stream = stand_in
    assert not done.device
    assert not stream.pinned_arrays
    stream.queue.clear()  # what was queued before the refusal
    monkeypatch.setattr(Context, "refuses", "")
    assert engine.run({"x": np.ones((2, 3), np.float32)})["y"].sum() == 12


def test_a_plan_of_another_version_is_refused(stand_in: tuple[Done, Stream], tmp_path: Path) -> None:
    with pytest.raises(
        InvalidRepository, match=r"TensorRT 10\.4 on a GPU cannot load .*x\.plan; build the engine again"
    ):
        TensorRtEngine(plan(tmp_path, b"old"), EngineOptions(), TENSORRT)


def test_cudas_errors_have_cudas_names(monkeypatch: pytest.MonkeyPatch) -> None:
    success, failure = SimpleNamespace(name="cudaSuccess"), SimpleNamespace(name="cudaErrorMemoryAllocation")
    runtime = SimpleNamespace(
        cudaError_t=SimpleNamespace(cudaSuccess=success),
        cudaStreamCreateWithFlags=lambda flags: (success, 5),
        cudaMalloc=lambda size: (failure, None) if size > 1000 else (success, size),
    )
    monkeypatch.setattr(cuda.importlib, "import_module", lambda name: runtime)
    stream = cuda.CudaStream()
    assert stream.handle == 5
    assert stream.allocate(0) == 256  # an empty tensor has an address too
    with pytest.raises(StageFailed, match=r"^CUDA could not do cudaMalloc: cudaErrorMemoryAllocation\.$"):
        stream.allocate(2000)
    with pytest.raises(TypeError, match="cudaMalloc takes 1"):
        stream._call("cudaMalloc", 1, 2)


def test_without_cuda_bindings_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(cuda.importlib, "import_module", missing)
    with pytest.raises(InvalidRepository, match=r"pip install 'framecast\[tensorrt\]'\.$"):
        cuda.CudaStream()
