"""The benchmark shapes: complete, consistent with what the ops take, and counted right."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet3DConditionModel, UNetMotionModel
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from framecast.kernels.count import count
from framecast.kernels.group_norm_silu.config import GroupNormConfig
from framecast.kernels.patch import patch
from framecast.kernels.shapes import ANIMATEDIFF, MODELSCOPE, STORYBOOK, shapes
from framecast.kernels.switches import OPS

STORYBOOK_BUNDLE = Path(__file__).parents[2] / "bundles" / "storybook"


@pytest.mark.parametrize("family", [ANIMATEDIFF, MODELSCOPE, STORYBOOK])
def test_every_op_in_every_family(family: str) -> None:
    found = shapes(family)
    assert {shape.op for shape in found} == set(OPS)
    for shape in found:
        assert shape.calls > 0
        assert 0 < shape.floor_bytes <= shape.kernel_bytes
        assert shape.flops > 0


def empty(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def on_meta(make: Callable[[], Any]) -> Any:
    with torch.device("meta"):
        model = make().eval()
    patch(model)
    return model


def storybook() -> Counter[tuple[Any, ...]]:
    unet, vae = (
        on_meta(lambda part=part, kind=kind: kind.from_config(json.loads((STORYBOOK_BUNDLE / part).read_text())))
        for part, kind in (("unet/config.json", UNet3DConditionModel), ("vae/config.json", AutoencoderKL))
    )
    calls = count(lambda: unet(empty(2, 80, 12, 16, 16), empty(2), empty(2, 77, 192)))
    return calls + count(lambda: vae.decode(empty(12, 80, 16, 16)))


def animatediff() -> Counter[tuple[Any, ...]]:
    unet = on_meta(lambda: UNetMotionModel(cross_attention_dim=768))
    vae = on_meta(
        lambda: AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
        )
    )
    calls = count(lambda: unet(empty(2, 4, 16, 64, 64), empty(2), empty(32, 77, 768)))
    return calls + count(lambda: vae.decode(empty(16, 4, 64, 64)))


def modelscope() -> Counter[tuple[Any, ...]]:
    unet = on_meta(UNet3DConditionModel)
    return count(lambda: unet(empty(2, 4, 16, 32, 32), empty(2), empty(2, 77, 1024)))


@pytest.mark.parametrize(
    ("family", "run"), [(STORYBOOK, storybook), (ANIMATEDIFF, animatediff), (MODELSCOPE, modelscope)]
)
def test_the_list_is_what_the_models_call(family: str, run: Callable[[], Counter[tuple[Any, ...]]]) -> None:
    listed: Counter[tuple[Any, ...]] = Counter()
    for shape in shapes(family):
        call: tuple[Any, ...] = (shape.op, *shape.sizes.values())
        if shape.op == "group_norm_silu":
            call = (*call, "silu" in shape.options, "shift" in shape.options)
        if shape.op not in ("guided_step", "yuv420"):
            listed[call] += shape.calls
    assert run() == listed


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


def test_a_length_that_is_only_known_as_a_graph_runs_has_rows_of_the_middle_class() -> None:
    """A package is traced at a few pixels and runs at any: what is fixed at export may not be meant for a few."""
    length = ShapeEnv().create_unbacked_symint()
    config = GroupNormConfig.choose(32, 128, length)  # type: ignore[arg-type]
    assert (config.rows, config.groups, config.width) == (512, 32, 4)
    assert GroupNormConfig.choose(32, 128, 24).rows == 64
    assert GroupNormConfig.choose(32, 128, 512 * 512).rows == 2048
