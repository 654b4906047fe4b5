"""The benchmark shapes: complete, consistent with what the ops take, and counted right."""

import pytest

from framecast.kernels.group_norm_silu.config import GroupNormConfig
from framecast.kernels.shapes import ANIMATEDIFF, MODELSCOPE, STORYBOOK, shapes
from framecast.kernels.switches import OPS


@pytest.mark.parametrize("family", [ANIMATEDIFF, MODELSCOPE, STORYBOOK])
def test_every_op_in_every_family(family: str) -> None:
    found = shapes(family)
    assert {shape.op for shape in found} == set(OPS)
    for shape in found:
        assert shape.calls > 0
        assert 0 < shape.floor_bytes <= shape.kernel_bytes
        assert shape.flops > 0


def test_bytes_of_one() -> None:
    shape = next(s for s in shapes(ANIMATEDIFF) if s.op == "geglu")
    assert shape.name == "geglu 131072×1280"
    assert shape.floor_bytes == 131072 * 1280 * 3 * 2
    single = next(s for s in shapes(ANIMATEDIFF, itemsize=4) if s.op == "geglu")
    assert single.floor_bytes == 2 * shape.floor_bytes


def test_merging_statistics_costs_little() -> None:
    for shape in shapes():
        if shape.op == "group_norm_silu":
            sizes = shape.sizes
            config = GroupNormConfig.choose(sizes["groups"], sizes["channels"], sizes["length"])
            blocks = -(-sizes["length"] // config.rows)
            merged = sizes["samples"] * config.group_tiles * blocks * blocks * config.block_groups * 8
            assert merged < 0.15 * shape.kernel_bytes, shape.name


def test_unknown_family() -> None:
    with pytest.raises(ValueError, match="family: sora"):
        shapes("sora")
