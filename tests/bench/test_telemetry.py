"""Telemetry with no GPU, a fake one, and real processes."""

import os
import subprocess
import sys
import threading
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from framecast.bench.metrics import DenoiserCounters, parse, scrape
from framecast.bench.telemetry.nvml import Gpus, open_gpus
from framecast.bench.telemetry.processes import metrics_url, read_tree
from framecast.bench.telemetry.sampler import Telemetry

PAGE = """# HELP framecast_denoiser_steps_total Denoise steps run
framecast_denoiser_steps_total{model="denoiser",version="1"} 10
framecast_denoiser_mixed_steps_total{model="denoiser",version="1"} 4
framecast_denoiser_step_seconds_total{model="denoiser",version="1"} 2.5
framecast_denoiser_batch_size_count{model="denoiser"} 10
framecast_denoiser_batch_size_sum{model="denoiser"} 15
framecast_denoiser_batch_size_bucket{model="denoiser",le="1"} 6
framecast_denoiser_batch_size_bucket{model="denoiser",le="2"} 9
framecast_denoiser_batch_size_bucket{model="denoiser",le="+Inf"} 10
nv_cpu_utilization 0.5
"""


class NvmlError(Exception):
    """What the binding raises."""


class FakeNvml:
    """Two GPUs; the second says little. Each energy reading is 50 J more than the last."""

    NVMLError = NvmlError
    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0

    def __init__(self, count: int = 2, broken: bool = False) -> None:
        self.count, self.broken, self.open, self._energy = count, broken, False, 0

    def nvmlInit(self) -> None:  # noqa: N802
        if self.broken:
            raise NvmlError("driver not loaded")
        self.open = True

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.open = False

    def __getattr__(self, name: str) -> Any:
        def call(handle: int = 0, *_: int) -> Any:
            answers: dict[str, Any] = {
                "nvmlDeviceGetCount": self.count,
                "nvmlDeviceGetHandleByIndex": handle,
                "nvmlDeviceGetName": b"Fake GPU",
                "nvmlDeviceGetUUID": b"GPU-fake",
                "nvmlSystemGetDriverVersion": "570.1",
            }
            if name in answers:
                return answers[name]
            if handle == 1:
                raise NvmlError("not supported")
            if name == "nvmlDeviceGetTotalEnergyConsumption":
                self._energy += 50_000
                return self._energy
            return {
                "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=80, memory=30),
                "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=2048 * 2**20),
                "nvmlDeviceGetPowerUsage": 400_000,
                "nvmlDeviceGetCurrentClocksThrottleReasons": 0x1 | 0x4 | 0x40,
                "nvmlDeviceGetClockInfo": 1800,
                "nvmlDeviceGetTemperature": 65,
            }[name]

        return call


def _missing() -> Any:
    raise ModuleNotFoundError("pynvml")


def test_without_a_binding_a_driver_or_a_gpu_there_are_none() -> None:
    assert open_gpus(_missing) is None
    assert open_gpus(lambda: FakeNvml(broken=True)) is None
    empty = FakeNvml(count=0)
    assert open_gpus(lambda: empty) is None
    assert not empty.open
    if not os.path.exists("/dev/nvidia0"):
        assert open_gpus() is None  # the real binding, where it is installed


def test_a_run_without_gpus_says_so() -> None:
    with Telemetry(os.getpid(), interval=0.005) as telemetry:
        _until(lambda: len(telemetry.moments) >= 4)
    found = telemetry.summary(2)
    if not os.path.exists("/dev/nvidia0"):
        assert found["gpus"] == []
        assert "energy_per_video_j" not in found
    assert "server_rss_mb_max" not in found  # this process is left out, and it is the whole tree
    assert found["cpu_percent_mean"] >= 0


def test_gpus_are_read_and_summed() -> None:
    library = FakeNvml()
    library.nvmlInit()
    with Telemetry(interval=60, gpus=Gpus(library)) as telemetry:
        pass
    found = telemetry.summary(5, idle_watts=0.0)
    first, second = found["gpus"]
    assert first == {
        "name": "Fake GPU",
        "utilisation_mean": 80,
        "memory_mb_max": 2048,
        "power_w_mean": 400,
        "energy_j": 50,
        "sm_mhz_mean": 1800,
        "temperature_c_max": 65,
        "throttles": ["hw_thermal", "sw_power_cap"],
    }
    assert second == {**dict.fromkeys(first), "name": "Fake GPU", "throttles": []}
    assert found["energy_per_video_j"] == found["energy_per_video_above_idle_j"] == 10
    assert found["peak_memory_mb_max"] == 2048
    assert found["gpu_driver"] == "570.1"
    assert not library.open


def test_a_process_tree_is_read_without_the_benchmark() -> None:
    nested = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    child = subprocess.Popen([sys.executable, "-c", nested], stdin=subprocess.PIPE)
    try:
        _until(lambda: (tree := read_tree(child.pid)) is not None and tree.processes == 2)
        tree = read_tree(child.pid)
        assert tree is not None
        assert tree.rss_mb > 5
        if tree.pss_mb is not None:
            assert 0 < tree.pss_mb <= tree.rss_mb
        mine = read_tree(os.getpid(), without=child.pid)
        whole = read_tree(os.getpid())
        assert mine is not None
        assert whole is not None
        assert whole.processes == mine.processes + 2
        assert metrics_url(child.pid) is None
    finally:
        child.communicate(b"\n")
    assert read_tree(child.pid) is None


def test_the_denoisers_counters_are_read() -> None:
    found = parse(PAGE)
    assert found == DenoiserCounters(10, 4, 2.5, 15, {"1": 6, "2": 3, "+Inf": 1})
    assert (found.mean_batch, found.mean_step) == (1.5, 0.25)
    later = DenoiserCounters(14, 4, 3.5, 23, {"1": 6, "2": 7, "+Inf": 1}).since(found)
    assert later == DenoiserCounters(4, 0, 1.0, 8, {"1": 0, "2": 4, "+Inf": 0})
    assert parse("").mean_batch is None


def test_another_page_than_tritons_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "metrics").write_text("framecast_requests_total 1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with pytest.raises(OSError, match="has no counters of the denoiser"):
            scrape(f"http://127.0.0.1:{server.server_port}/metrics")
        thread.join()


def test_only_http_is_scraped() -> None:
    with pytest.raises(ValueError, match="http"):
        scrape("file:///etc/passwd")


def _until(condition: Any) -> None:
    """Polls, ten seconds at most."""
    for _ in range(2000):
        if condition():
            return
        threading.Event().wait(0.005)
    raise AssertionError("the condition did not come true")
