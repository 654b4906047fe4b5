"""How many cores this process may use."""

import math
import os
from pathlib import Path


def usable_cores(root: Path = Path("/sys/fs/cgroup")) -> int:
    """The cores that the scheduler gives, or fewer where a container's quota of processor time is less; at least 1.

    Threads beyond a quota do not make anything faster: they use it up together and then wait together.
    """
    cores = len(os.sched_getaffinity(0))
    return max(1, min(cores, math.ceil(_quota(root) or cores)))


def _quota(root: Path) -> float | None:
    """Cores' worth of time, by cgroup v2 or v1 (kernel documentation, cgroup-v2, cpu.max); None without a limit."""
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            quota, period, *_ = " ".join((root / name).read_text(encoding="utf-8") for name in names).split()
            return float(quota) / float(period) if float(quota) > 0 else None
        except (OSError, ValueError, ZeroDivisionError):  # another version, or "max"
            continue
    return None
