"""Threads for the cores that there are, or that a container may use."""

import os
from pathlib import Path

import pytest

from framecast.engines.cores import usable_cores


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, 1 << 20),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1 << 20),
        ({"cpu.max": "nonsense\n"}, 1 << 20),
        ({}, 1 << 20),
    ],
    ids=["one and a half", "half", "no limit", "v1", "v1, no limit", "unreadable", "no cgroup"],
)
def test_a_quota_counts_where_it_is_less(
    files: dict[str, str], quota: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    for cores in (1, 8):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        assert usable_cores(tmp_path) == min(cores, quota)
