"""The NVIDIA GPUs that this process may use, asked of the driver alone.

No CUDA runtime, TensorRT or torch is imported, and no context is made. A TensorRT object created where there is no
GPU may crash the process later, so everything that makes one asks here first.
"""

import ctypes
from dataclasses import dataclass

from framecast.errors import InvalidRepository

DRIVER = "libcuda.so.1"
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR


@dataclass(frozen=True)
class Gpu:
    """One GPU: its marketing name and its compute capability, for example 89 for 8.9."""

    name: str
    sm: int


def visible_gpus(driver: str = DRIVER) -> tuple[Gpu, ...]:
    """The GPUs in the driver's order, `CUDA_VISIBLE_DEVICES` applied; empty without a driver or without a GPU.

    Args:
        driver: file name of the CUDA driver library.
    """
    try:
        cuda = ctypes.CDLL(driver)
    except OSError:
        return ()
    count = ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)):
        return ()
    found = []
    for index in range(count.value):
        device, value, name = ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(256)
        if cuda.cuDeviceGet(ctypes.byref(device), index) or cuda.cuDeviceGetName(name, len(name), device):
            continue
        sm = 0
        for attribute, weight in ((_MAJOR, 10), (_MINOR, 1)):
            cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
            sm += weight * value.value
        found.append(Gpu(name.value.decode("utf-8", "replace"), sm))
    return tuple(found)


def require_gpu(what: str, driver: str = DRIVER) -> Gpu:
    """The first visible GPU.

    Args:
        what: the subject of the sentence, for example ``TensorRT``.
        driver: file name of the CUDA driver library.

    Raises:
        InvalidRepository: none is visible.
    """
    gpus = visible_gpus(driver)
    if not gpus:
        raise InvalidRepository(
            f"{what} needs an NVIDIA GPU and this process sees none; check the driver and CUDA_VISIBLE_DEVICES."
        )
    return gpus[0]
