"""The other runtimes on this GPU: ONNX Runtime and TensorRT-RTX. One line each, also where one cannot run."""

import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from framecast.bench.gpu.rows import Deadline, Emit, reason
from framecast.bench.gpu.scale import Scale
from framecast.bench.gpu.timing import measure

REPOSITORY = Path("build/served")  # whose ONNX files ONNX Runtime and TensorRT-RTX are given


class Skipped(Exception):
    """A runtime that cannot be measured here; the message says why."""


def run(scale: Scale, emit: Emit, deadline: Deadline) -> None:
    """Each runtime; what is missing is said in one line."""
    for name, measured in _RUNTIMES.items():
        try:
            emit(what=name, **measured(scale, deadline))
        except Skipped as why:
            emit(what=name, skipped=str(why))
        except Exception as error:  # noqa: BLE001 - recorded, and the other runtimes go on
            emit(what=name, failed=reason(error))


def _onnxruntime(scale: Scale, deadline: Deadline) -> dict[str, Any]:
    _need("onnxruntime")
    from framecast.engines.load import tell_nobody

    tell_nobody()
    import onnxruntime

    providers = onnxruntime.get_available_providers()
    if "CUDAExecutionProvider" not in providers:
        raise Skipped(f"onnxruntime {onnxruntime.__version__} has no CUDAExecutionProvider, only {providers}")
    return _engine("onnxruntime", _onnx())


def _tensorrt_rtx(scale: Scale, deadline: Deadline) -> dict[str, Any]:
    for module in ("tensorrt_rtx_bindings", "onnxruntime_ep_nv_tensorrt_rtx", "cuda.bindings", "onnx"):
        _need(module)
    if scale.device != "cuda":
        raise Skipped("there is no GPU here")
    major, minor = torch.cuda.get_device_capability()
    from framecast.engines.tensorrt_flavour import TENSORRT_RTX, load_flavour
    from framecast.errors import FramecastError
    from framecast.export.tensorrt.compiler import TensorRtCompiler, serving_limits
    from framecast.export.tensorrt.options import BuildOptions, Folders

    onnx = _onnx()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / onnx.name
        copy.write_bytes(onnx.read_bytes())
        limits = serving_limits(REPOSITORY, size=(256, 256), chunk_latents=3)
        options = BuildOptions(compute_capabilities=(10 * major + minor,))
        try:
            compiler = TensorRtCompiler(load_flavour(TENSORRT_RTX), Folders.under(Path(folder)), options)
            plan = compiler.compile_file("vae_decoder", copy, limits)
            return _engine(TENSORRT_RTX, plan.path)
        except FramecastError as error:
            raise Skipped(f"TensorRT-RTX refuses compute capability {major}.{minor}: {error}") from error


_RUNTIMES: dict[str, Callable[[Scale, Deadline], dict[str, Any]]] = {
    "onnxruntime": _onnxruntime,
    "tensorrt_rtx": _tensorrt_rtx,
}


def _engine(kind: str, path: Path) -> dict[str, Any]:
    """The time of one `Engine.run` of the decoder, copies from and to the host included."""
    import numpy as np

    from framecast.engines.load import load_engine

    engine = load_engine(kind, path)
    info = engine.inputs[0]
    shape = tuple(
        3 if axis == 0 else length if isinstance(length, int) else 16 for axis, length in enumerate(info.shape)
    )
    latents = np.random.default_rng(5).standard_normal(shape, dtype=np.float32)
    timing = measure(lambda: engine.run({info.name: latents}), torch.device("cpu"), 1.0)
    return {"graph": path.name, "shape": list(shape), **timing.record("call")}


def _onnx() -> Path:
    path = REPOSITORY / "vae_decoder" / "1" / "vae_decoder.onnx"
    if not path.is_file():
        raise Skipped(f"{path} is not there; run `make export` and bring {REPOSITORY} along")
    return path


def _need(module: str) -> None:
    try:
        found = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of a package that would hold it
        found = False
    if not found:
        raise Skipped(f"the package {module} is not installed")
