"""GPUs through NVML, read with `nvidia-ml-py`; absent without a driver."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

_THROTTLES = {  # nvmlClocksEventReasons, https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html
    0x1: "gpu_idle",
    0x2: "applications_clocks",
    0x4: "sw_power_cap",
    0x8: "hw_slowdown",
    0x10: "sync_boost",
    0x20: "sw_thermal",
    0x40: "hw_thermal",
    0x80: "hw_power_brake",
    0x100: "display_clocks",
}


@dataclass(frozen=True)
class GpuReading:
    """One GPU at one moment; None: this GPU does not say.

    Attributes:
        utilisation, memory_utilisation: per cent.
        memory_mb: used, MiB.
        power_w: watts.
        energy_j: joules since the driver was loaded.
        sm_mhz, memory_mhz: clocks.
        temperature_c: degrees Celsius.
        throttles: reasons why the clocks are below their highest.
    """

    utilisation: float | None
    memory_utilisation: float | None
    memory_mb: float | None
    power_w: float | None
    energy_j: float | None
    sm_mhz: float | None
    memory_mhz: float | None
    temperature_c: float | None
    throttles: tuple[str, ...]


class Gpus:
    """An open NVML session; `open_gpus` makes one. Close it."""

    def __init__(self, library: Any) -> None:
        self._nvml = library
        self._handles = [library.nvmlDeviceGetHandleByIndex(i) for i in range(library.nvmlDeviceGetCount())]
        self.names = [_text(library.nvmlDeviceGetName(handle)) for handle in self._handles]
        self.uuids = [_text(library.nvmlDeviceGetUUID(handle)) for handle in self._handles]
        self.driver = _text(library.nvmlSystemGetDriverVersion())

    def __len__(self) -> int:
        return len(self._handles)

    def read(self) -> list[GpuReading]:
        """Every GPU now."""
        return [self._read(handle) for handle in self._handles]

    def close(self) -> None:
        """Ends the session."""
        with suppress(self._nvml.NVMLError):
            self._nvml.nvmlShutdown()

    def _read(self, handle: Any) -> GpuReading:
        nvml = self._nvml

        def value(read: Callable[[], Any]) -> Any:
            try:
                return read()
            except nvml.NVMLError:  # not supported by this GPU
                return None

        rates = value(lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
        memory = value(lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
        power = value(lambda: nvml.nvmlDeviceGetPowerUsage(handle))
        energy = value(lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
        reasons = value(lambda: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)) or 0
        return GpuReading(
            None if rates is None else rates.gpu,
            None if rates is None else rates.memory,
            None if memory is None else memory.used / 2**20,
            None if power is None else power / 1000,
            None if energy is None else energy / 1000,
            value(lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)),
            value(lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM)),
            value(lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
            tuple(name for bit, name in _THROTTLES.items() if reasons & bit),
        )


def open_gpus(load: Callable[[], Any] = lambda: import_module("pynvml")) -> Gpus | None:
    """NVML's GPUs, or None where there is no binding, no driver or no GPU."""
    try:
        library = load()
    except ImportError:
        return None
    try:
        library.nvmlInit()
        gpus = Gpus(library)
    except library.NVMLError:
        return None
    if not len(gpus):
        gpus.close()
        return None
    return gpus


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
