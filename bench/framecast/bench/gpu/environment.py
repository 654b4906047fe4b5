"""Where a suite ran: the card, its driver, its libraries, and what it copies and multiplies at most."""

import importlib.util
from typing import Any

import torch

from framecast.bench.gpu.ceilings import measured, note
from framecast.bench.gpu.rows import Deadline, Emit
from framecast.bench.gpu.scale import Scale
from framecast.bench.telemetry.nvml import open_gpus

_OPTIONAL = ("diffusers", "transformers", "triton", "pynvml", "onnxruntime", "tensorrt", "tensorrt_rtx_bindings")


def run(scale: Scale, emit: Emit, deadline: Deadline) -> None:
    """Facts first, then the two ceilings of this device."""
    emit(what="environment", **facts(scale))
    emit(what="ceilings", **measured(scale))


def facts(scale: Scale) -> dict[str, Any]:
    """Of the device and the software."""
    found: dict[str, Any] = {"torch": torch.__version__, "cuda": torch.version.cuda or "none", "device": scale.device}
    found["missing"] = [name for name in _OPTIONAL if importlib.util.find_spec(name) is None]
    if scale.device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        found |= {
            "gpu": properties.name,
            "capability": f"{properties.major}.{properties.minor}",
            "memory_gib": properties.total_memory / 2**30,
            "processors": properties.multi_processor_count,
            "note": note(properties.name),
        }
    gpus = open_gpus()
    if gpus is not None:
        found["driver"] = gpus.driver
        found["idle_watts"] = [reading.power_w for reading in gpus.read()]
        gpus.close()
    return found
