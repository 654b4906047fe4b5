"""Where the time of one call goes on a GPU: its kernels by name, from torch's profiler."""

from collections.abc import Callable
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

_NAME = 70  # characters of a kernel's name: templates run to hundreds


def heaviest_kernels(call: Callable[[], Any], count: int = 30) -> list[dict[str, Any]]:
    """The kernels that take most of one call: ``kernel``, ``calls``, ``us`` of all of them, ``share`` of all kernels.

    Empty where there is no GPU. The profiler slows launches, not kernels; a CUDA graph's kernels are seen one by one.
    """
    if not torch.cuda.is_available():
        return []
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        call()
        torch.cuda.synchronize()
    found = [(event.key, event.count, float(event.self_device_time_total)) for event in seen.key_averages()]
    return table(found, count)


def table(kernels: list[tuple[str, int, float]], count: int) -> list[dict[str, Any]]:
    """Rows of (name, calls, microseconds), the longest first; what is left over is one row more."""
    whole = sum(us for _, _, us in kernels)
    ordered = sorted(kernels, key=lambda kernel: kernel[2], reverse=True)
    rows = [
        {"kernel": name[:_NAME], "calls": calls, "us": us, "share": us / whole}
        for name, calls, us in ordered[:count]
        if us > 0
    ]
    if rest := [kernel for kernel in ordered[count:] if kernel[2] > 0]:
        us = sum(kernel[2] for kernel in rest)
        rows.append({"kernel": f"{len(rest)} others", "calls": sum(k[1] for k in rest), "us": us, "share": us / whole})
    return rows
