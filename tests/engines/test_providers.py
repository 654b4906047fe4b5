"""Which execution providers are chosen on which machine."""

from types import SimpleNamespace
from typing import Any

import onnxruntime as ort
import pytest

from framecast.engines import providers
from framecast.engines.gpus import Gpu
from framecast.engines.providers import CPU, CUDA, RTX, TENSORRT, Machine, choose_providers

ADA, HOPPER = Gpu("Ada", 89), Gpu("Hopper", 90)
ALL = (TENSORRT, CUDA, CPU)


@pytest.mark.parametrize(
    ("machine", "names", "line"),
    [
        (Machine((), ALL, True), (CPU,), "on the CPU: no GPU is visible"),
        (Machine((ADA,), ALL, True), (RTX, CPU), "with TensorRT-RTX on Ada"),
        (Machine((ADA,), ALL, False), ALL, "with TensorRT on Ada"),
        (Machine((HOPPER,), ALL, True), ALL, "with TensorRT on Hopper"),
        (Machine((HOPPER,), (CUDA, CPU), True), (CUDA, CPU), "with CUDA on Hopper"),
        (Machine((HOPPER,), (CPU,), True), (CPU,), "Hopper is visible, but the installed onnxruntime has no provider"),
    ],
)
def test_the_best_that_can_run_here_is_chosen(machine: Machine, names: tuple[str, ...], line: str) -> None:
    choice = choose_providers(machine)
    assert choice.names == names
    assert choice.plugin is (names[0] == RTX)
    assert choice.line.startswith("ONNX Runtime ")
    assert line in choice.line
    assert "\n" not in choice.line


def test_without_a_gpu_this_machine_takes_the_cpu_and_the_session_agrees() -> None:
    choice = choose_providers(Machine.here(gpus=lambda: ()))
    assert choice.prepare(ort.SessionOptions()) == [CPU]


def test_the_plugin_is_registered_once_and_given_its_first_device(monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[tuple[str, str]] = []
    devices = [SimpleNamespace(ep_name=CPU)]

    def register(name: str, path: str) -> None:
        registered.append((name, path))
        devices.extend(SimpleNamespace(ep_name=RTX, number=number) for number in range(2))

    class Settings:
        given: list[Any]

        def add_provider_for_devices(self, devices: list[Any], options: dict[str, str]) -> None:
            self.given = devices

    monkeypatch.setattr(ort, "register_execution_provider_library", register)
    monkeypatch.setattr(ort, "get_ep_devices", lambda: devices)
    plugin = SimpleNamespace(get_library_path=lambda: "/plugin.so")
    monkeypatch.setattr(providers.importlib, "import_module", lambda name: plugin)
    for _ in range(2):
        settings = Settings()
        assert choose_providers(Machine((ADA,), ALL, True)).prepare(settings) is None
        assert [device.number for device in settings.given] == [0]
    assert registered == [(RTX, "/plugin.so")]
