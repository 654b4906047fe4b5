"""Samples GPUs, processor and memory beside a measurement."""

import os
import threading
import time
from dataclasses import asdict, dataclass
from statistics import fmean
from types import TracebackType
from typing import Any

import psutil

from framecast.bench.telemetry.nvml import GpuReading, Gpus, open_gpus
from framecast.bench.telemetry.processes import TreeReading, read_tree


@dataclass(frozen=True)
class Moment:
    """One reading: seconds after the start, the machine's processor use in per cent, the server and the GPUs."""

    at: float
    cpu_percent: float
    server: TreeReading | None
    gpus: tuple[GpuReading, ...]


class Telemetry:
    """A context manager that reads every `interval` seconds on a thread of its own, and once at each end.

    Args:
        server_pid: root of the server's processes; None: it runs elsewhere.
        interval: seconds.
        gpus: an open session, which this closes; left out, NVML is tried.
    """

    def __init__(self, server_pid: int | None = None, interval: float = 0.5, gpus: Gpus | None = None) -> None:
        self.moments: list[Moment] = []
        self._pid = server_pid
        self._interval = interval
        self._gpus = gpus or open_gpus()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
        self._began = 0.0

    def __enter__(self) -> "Telemetry":
        self._began = time.monotonic()
        psutil.cpu_percent()  # the first call only starts the count
        self._read()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._read()
        if self._gpus is not None:
            self._gpus.close()

    def summary(self, completed: int, idle_watts: float | None = None) -> dict[str, Any]:
        """Figures over the run, which held `completed` videos. Without a GPU or a known server theirs are missing.

        `energy_per_video_j` is the GPUs' energy counter over the run ÷ completions; `…_above_idle_j` leaves out what
        they would have taken at rest, `idle_watts` in all.
        """
        trees = [moment.server for moment in self.moments if moment.server]
        results: dict[str, Any] = {"cpu_percent_mean": fmean(moment.cpu_percent for moment in self.moments[1:])}
        if trees:
            results["server_cpu_seconds"] = max(0.0, trees[-1].cpu_seconds - trees[0].cpu_seconds)
            results["server_rss_mb_max"] = max(tree.rss_mb for tree in trees)
            shares = [tree.pss_mb for tree in trees if tree.pss_mb is not None]
            results["server_pss_mb_max"] = max(shares) if shares else None
        if self._gpus is None:
            return {**results, "gpus": []}
        results["gpus"] = [
            _gpu(name, [moment.gpus[index] for moment in self.moments]) for index, name in enumerate(self._gpus.names)
        ]
        results["gpu_driver"] = self._gpus.driver
        results["peak_memory_mb_max"] = _max([gpu["memory_mb_max"] for gpu in results["gpus"]])
        energies = [gpu["energy_j"] for gpu in results["gpus"] if gpu["energy_j"] is not None]
        results["energy_per_video_j"] = sum(energies) / completed if energies and completed else None
        if idle_watts is not None and energies and completed:
            rest = idle_watts * (self.moments[-1].at - self.moments[0].at)
            results["energy_per_video_above_idle_j"] = max(0.0, sum(energies) - rest) / completed
        return results

    def raw(self) -> list[dict[str, Any]]:
        """Every reading, as plain data."""
        return [asdict(moment) for moment in self.moments]

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self._read()

    def _read(self) -> None:
        self.moments.append(
            Moment(
                time.monotonic() - self._began,
                psutil.cpu_percent(),
                read_tree(self._pid, without=os.getpid()) if self._pid else None,
                tuple(self._gpus.read()) if self._gpus else (),
            )
        )


def _gpu(name: str, readings: list[GpuReading]) -> dict[str, Any]:
    """One GPU over the run. Energy is the counter's difference, or None where the GPU has no counter."""
    energies = [reading.energy_j for reading in readings if reading.energy_j is not None]
    return {
        "name": name,
        "utilisation_mean": _mean([reading.utilisation for reading in readings]),
        "memory_mb_max": _max([reading.memory_mb for reading in readings]),
        "power_w_mean": _mean([reading.power_w for reading in readings]),
        "energy_j": energies[-1] - energies[0] if len(energies) > 1 else None,
        "sm_mhz_mean": _mean([reading.sm_mhz for reading in readings]),
        "temperature_c_max": _max([reading.temperature_c for reading in readings]),
        "throttles": sorted({reason for reading in readings for reason in reading.throttles} - {"gpu_idle"}),
    }


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _max(values: list[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
