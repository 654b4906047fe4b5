"""What a call takes from the wall, by NVML's energy counter."""

import time
from collections.abc import Callable
from typing import Any

import torch

from framecast.bench.gpu.scale import Scale
from framecast.bench.telemetry.nvml import GpuReading, open_gpus

_LEAST_SECONDS = 2.0  # the counter moves about ten times a second


def spent(call: Callable[[], Any], scale: Scale, us: float) -> dict[str, Any]:
    """Joules of one call and mean watts while it runs again and again, or why they are not known."""
    if scale.device != "cuda":
        return {"skipped": "NVML is asked on a GPU only"}
    gpus = open_gpus()
    if gpus is None:
        return {"skipped": "no NVML: nvidia-ml-py or the driver is missing"}
    try:
        index = _index(gpus.uuids)
        if index is None:
            return {"skipped": "NVML does not know the GPU that torch uses"}
        count = max(3, int(_LEAST_SECONDS * 1e6 / us))
        torch.cuda.synchronize()
        before, began = gpus.read()[index], time.perf_counter()
        for _ in range(count):
            call()
        torch.cuda.synchronize()
        after, seconds = gpus.read()[index], time.perf_counter() - began
        return {"calls": count, **_figures(before, after, count, seconds)}
    finally:
        gpus.close()


def _figures(before: GpuReading, after: GpuReading, count: int, seconds: float) -> dict[str, Any]:
    found: dict[str, Any] = {"sm_mhz": after.sm_mhz, "temperature_c": after.temperature_c}
    found["throttles"] = sorted(set(after.throttles) - {"gpu_idle"})
    if before.energy_j is None or after.energy_j is None:
        return {**found, "skipped": "this GPU has no energy counter"}
    joules = after.energy_j - before.energy_j
    return {**found, "joules_a_call": joules / count, "watts": joules / seconds}


def _index(uuids: list[str]) -> int | None:
    """NVML's GPU that torch calls the current one."""
    wanted = str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid).lower()
    return next((index for index, uuid in enumerate(uuids) if uuid.lower().removeprefix("gpu-") == wanted), None)
