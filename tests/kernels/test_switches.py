"""Switches: names, nesting, the environment variable."""

import os
import subprocess
import sys

import pytest

from framecast.kernels import switches


def test_everything_is_on_by_default() -> None:
    assert all(switches.enabled(op) for op in switches.OPS)


def test_blocks_nest_and_restore() -> None:
    with switches.off("geglu"):
        with switches.off("yuv420"):
            assert not switches.enabled("geglu")
            assert not switches.enabled("yuv420")
        assert switches.enabled("yuv420")
        with switches.off("all"):
            assert not any(switches.enabled(op) for op in switches.OPS)
    assert switches.enabled("geglu")


def test_blocks_of_two_threads_may_overlap() -> None:
    first, second = switches.off("geglu"), switches.off("geglu", "yuv420")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)  # who came first goes first
    assert not switches.enabled("geglu")
    second.__exit__(None, None, None)
    assert all(switches.enabled(op) for op in switches.OPS)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="gegul is not one of"), switches.off("gegul"):
        pass
    with pytest.raises(ValueError, match="FRAMECAST_KERNELS_OFF"):
        switches.parse("geglu,nothing")


def test_environment_variable() -> None:
    command = "from framecast.kernels.switches import OPS, enabled; print(*filter(enabled, OPS))"
    environment = {**os.environ, switches.VARIABLE: " geglu, group_norm_silu,"}
    done = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["temporal_attention", "upsample_conv", "guided_step", "yuv420"]
