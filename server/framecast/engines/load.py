"""Engines by the name of their runtime, imported only when it is asked for."""

import os
from pathlib import Path

from framecast.engines.engine import Engine, EngineOptions
from framecast.engines.gpus import require_gpu
from framecast.errors import InvalidRepository


def load_engine(kind: str, path: Path, options: EngineOptions | None = None) -> Engine:
    """Loads the engine at `path` with the runtime named `kind`, importing that runtime only now.

    Raises:
        InvalidRepository: no such runtime.
    """
    options = options or EngineOptions()
    if kind == "onnxruntime":
        tell_nobody()
        from framecast.engines.onnxruntime import OnnxRuntimeEngine

        return OnnxRuntimeEngine(path, options)
    if kind in ("tensorrt", "tensorrt_rtx"):
        from framecast.engines.tensorrt import TensorRtEngine

        return TensorRtEngine(path, options, kind)
    if kind == "aoti":
        from framecast.engines.aoti import AotInductorEngine

        return AotInductorEngine(path, options)
    raise InvalidRepository(
        f"{path.name} asks for the engine {kind!r}; this build has onnxruntime, aoti, tensorrt and tensorrt_rtx."
    )


def tell_nobody() -> None:
    """Keeps ONNX Runtime, from 1.32 on, from telling Microsoft how it is used; before it is imported."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def require_machine(kind: str, what: str) -> None:
    """Refuses at once a runtime that cannot run here; nothing of it is loaded.

    Args:
        kind: of the engine.
        what: the subject of the sentence.

    Raises:
        InvalidRepository: there is no GPU for it, or no torch.
    """
    if kind == "aoti":
        from framecast.engines.aoti import require_torch

        require_torch(what)
    if kind in ("tensorrt", "tensorrt_rtx"):
        require_gpu(what)
