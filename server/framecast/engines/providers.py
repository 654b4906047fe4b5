"""ONNX Runtime's execution providers for this machine: the best that is installed and has a GPU to run on."""

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from framecast.engines.gpus import Gpu, visible_gpus

RTX = "NvTensorRTRTXExecutionProvider"
TENSORRT, CUDA, CPU = "TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"
RTX_PLUGIN = "onnxruntime_ep_nv_tensorrt_rtx"
RTX_SMS = frozenset({80, 86, 89, 120, 121})  # what TensorRT-RTX 1.7 compiles for, from Ampere on


@dataclass(frozen=True)
class Providers:
    """A choice.

    Attributes:
        names: providers in order of preference, the CPU last.
        line: the choice and its reason, for the log.
        plugin: the first is a plugin, which must be registered and is given to the session by device.
    """

    names: tuple[str, ...]
    line: str
    plugin: bool = False

    def prepare(self, settings: Any) -> list[str] | None:
        """Puts the choice into `onnxruntime.SessionOptions`.

        Returns:
            What `InferenceSession` takes as `providers`; None when the settings say it all.
        """
        if not self.plugin:
            return list(self.names)
        import onnxruntime as ort

        plugin = importlib.import_module(RTX_PLUGIN)  # which also loads the libraries that it is linked against
        if not any(device.ep_name == RTX for device in ort.get_ep_devices()):
            ort.register_execution_provider_library(RTX, plugin.get_library_path())
        devices = [device for device in ort.get_ep_devices() if device.ep_name == RTX]
        settings.add_provider_for_devices(devices[:1], {})
        return None


@dataclass(frozen=True)
class Machine:
    """What there is to choose from.

    Attributes:
        gpus: visible ones.
        built_in: providers of the installed ONNX Runtime.
        rtx_plugin: the TensorRT-RTX plugin is installed.
    """

    gpus: Sequence[Gpu] = ()
    built_in: Sequence[str] = field(default=(CPU,))
    rtx_plugin: bool = False

    @classmethod
    def here(cls, gpus: Callable[[], Sequence[Gpu]] = visible_gpus) -> "Machine":
        """This machine."""
        import onnxruntime as ort

        return cls(gpus(), ort.get_available_providers(), importlib.util.find_spec(RTX_PLUGIN) is not None)


def choose_providers(machine: Machine) -> Providers:
    """TensorRT-RTX, TensorRT, CUDA or the CPU, in this order, each only where it can run.

    The order is by what each compiles for the GPU it finds. It is not measured: no machine with a GPU had them all.
    """
    if not machine.gpus:
        return Providers((CPU,), "ONNX Runtime on the CPU: no GPU is visible")
    gpu = machine.gpus[0]
    if machine.rtx_plugin and gpu.sm in RTX_SMS:
        return Providers((RTX, CPU), f"ONNX Runtime with TensorRT-RTX on {gpu.name}", plugin=True)
    names = tuple(name for name in (TENSORRT, CUDA) if name in machine.built_in)
    if names:
        title = {TENSORRT: "TensorRT", CUDA: "CUDA"}[names[0]]
        return Providers((*names, CPU), f"ONNX Runtime with {title} on {gpu.name}")
    return Providers(
        (CPU,), f"ONNX Runtime on the CPU: {gpu.name} is visible, but the installed onnxruntime has no provider for it"
    )
