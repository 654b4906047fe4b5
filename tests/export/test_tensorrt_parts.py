"""The builder's parts that need no TensorRT: profiles, keys, the cache, timings, options and the VAE's graph."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from rich.console import Console

from framecast.engines.manifest import Manifest
from framecast.engines.tensorrt_flavour import TENSORRT, TENSORRT_RTX
from framecast.export.tensorrt import cache as cache_module
from framecast.export.tensorrt.cache import EngineCache, write_atomically
from framecast.export.tensorrt.compiler import serving_limits
from framecast.export.tensorrt.errors import EngineBuildError
from framecast.export.tensorrt.options import BuildOptions
from framecast.export.tensorrt.plan import Plan, PlanTensor, Request, plain
from framecast.export.tensorrt.planes import PLANES, write_plane_graph
from framecast.export.tensorrt.profiles import PROFILES, Axis, ServingLimits, ShapeRange
from framecast.export.tensorrt.progress import Bars, progress_bars
from framecast.export.tensorrt.timings import timings_of

LIMITS = ServingLimits.of(
    max_batch=4, segment_latents=12, chunk_latents=3, size=(16, 24), max_side=65, multiple=2, max_tokens=48, context=512
)
PICTURE = (-1, -1, 16, -1, -1)
INPUTS: dict[str, dict[str, Sequence[int]]] = {
    "unet": {
        "latents": PICTURE,
        "timestep": (-1,),
        "embedding": (-1, -1, 192),
        "negative_embedding": (-1, -1, 192),
        "guidance": (-1,),
        "coefficients": (-1, 3),
        "context": PICTURE,
        "given": (-1, -1),
        "noise": PICTURE,
        "memory": PICTURE,
    },
    "planner": {
        "input_ids": (-1, -1),
        "attention_mask": (-1, -1),
        "position_ids": (-1, -1),
        "past_0_key": (-1, 6, -1, 32),
        "past_0_value": (-1, 6, -1, 32),
    },
    "vae_decoder": {"latents": (-1, 16, -1, -1)},
    "text_encoder": {"input_ids": (-1, -1)},
}
REQUEST = Request("a", TENSORRT, "10.4", "sm90", {"tf32": False}, ({"x": [[1], [2], [3]]},))


def test_the_denoise_steps_axes_agree_at_every_end() -> None:
    (profile,) = PROFILES["unet"](LIMITS, INPUTS["unet"])
    assert set(profile) == set(INPUTS["unet"])
    ends = [{name: shape[end] for name, shape in ((n, tuple(r)) for n, r in profile.items())} for end in range(3)]
    for shapes in ends:
        batch, frames, channels, height, width = shapes["latents"]
        assert {shape[0] for shape in shapes.values()} == {batch}
        assert shapes["context"] == shapes["noise"] == shapes["memory"] == shapes["latents"]
        assert shapes["given"] == (batch, frames)
        assert shapes["coefficients"] == (batch, 3)
        assert shapes["embedding"] == shapes["negative_embedding"] == (batch, shapes["embedding"][1], 192)
        assert (channels, height % 2, width % 2) == (16, 0, 0)
    assert [shapes["latents"] for shapes in ends] == [(1, 1, 16, 2, 2), (2, 12, 16, 16, 24), (4, 12, 16, 64, 64)]


def test_the_planners_lengths_add_up_at_every_end() -> None:
    prefill, decode = PROFILES["planner"](LIMITS, INPUTS["planner"])
    for profile in (prefill, decode):
        for end in range(3):
            shapes = {name: tuple(ranges)[end] for name, ranges in profile.items()}
            new, past = shapes["input_ids"][1], shapes["past_0_key"][2]
            assert shapes["attention_mask"] == (1, past + new)
            assert shapes["position_ids"] == shapes["input_ids"] == (1, new)
            assert shapes["past_0_key"] == shapes["past_0_value"] == (1, 6, past, 32)
            assert past + new <= 512
    assert {shape[2] for shape in prefill["past_0_key"]} == {0}
    assert {shape[1] for shape in decode["input_ids"]} == {1}


def test_prompts_are_padded_and_the_decoder_takes_any_size() -> None:
    (text,) = PROFILES["text_encoder"](LIMITS, INPUTS["text_encoder"])
    assert tuple(text["input_ids"]) == ((1, 48), (2, 48), (8, 48))
    (vae,) = PROFILES["vae_decoder"](LIMITS, INPUTS["vae_decoder"])
    assert tuple(vae["latents"]) == ((1, 16, 1, 1), (3, 16, 16, 24), (12, 16, 64, 64))


def test_an_axis_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(ValueError, match="axis 2 of given is dynamic"):
        PROFILES["unet"](LIMITS, {"given": (-1, -1, -1)})


@pytest.mark.parametrize(("ends", "reason"), [(((2,), (1,), (3,)), "not in order"), (((1,), (1, 1), (1,)), "ranks")])
def test_a_range_is_in_order(ends: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ShapeRange(*ends)
    with pytest.raises(ValueError, match="not in order"):
        Axis(2, 1, 3)


def test_limits_come_from_the_repositorys_settings(tiny_repository: Path) -> None:
    limits = serving_limits(tiny_repository, size=(32, 32), chunk_latents=2)
    assert (limits.frames.max, limits.chunk.opt, limits.tokens.max) == (4, 2, 16)
    assert (limits.height.min, limits.height.opt, limits.batch.max) == (2, 8, 8)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"hardware": "any"}, "must be one of"),
        ({"workspace_bytes": 0}, "at least 1"),
        ({"optimization_level": 6}, "0 to 5"),
    ],
)
def test_an_impossible_option_is_refused(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        BuildOptions(**values)


def stored(cache: EngineCache, request: Request, content: bytes = b"plan") -> Plan:
    tensor = PlanTensor("x", "float32", (-1, 8))
    digest = hashlib.sha256(content).hexdigest()
    plan = Plan(cache.path(request), digest, request.canonical(), (tensor,), (tensor,), 1.5)
    cache.store(plan, content)
    return plan


def test_a_stored_plan_is_found_whole(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path / "engines")
    assert cache.find(REQUEST) is None
    plan = stored(cache, REQUEST)
    assert cache.find(REQUEST) == replace(plan, cached=True)
    assert sorted(path.suffix for path in (tmp_path / "engines").iterdir()) == [".json", ".plan"]


@pytest.mark.parametrize(
    "change",
    [
        {"onnx": "b"},
        {"flavour": TENSORRT_RTX},
        {"version": "10.5"},
        {"target": "sm89"},
        {"options": {"tf32": True}},
        {"profiles": ({"x": [[1], [2], [4]]},)},
    ],
)
def test_every_part_of_a_request_is_part_of_its_key(change: dict[str, Any], tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    stored(cache, REQUEST)
    assert cache.find(replace(REQUEST, **change)) is None


def test_half_an_entry_is_none(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    plan = stored(cache, REQUEST)
    description = plan.path.with_suffix(".json")
    whole = description.read_text(encoding="utf-8")
    for broken in (whole[:-20], "{}", "[]", whole.replace("sm90", "sm91"), whole.replace(plan.sha256, "0" * 64)):
        description.write_text(broken, encoding="utf-8")
        assert cache.find(REQUEST) is None
    description.write_text(whole, encoding="utf-8")
    assert cache.find(REQUEST)
    plan.path.unlink()
    assert cache.find(REQUEST) is None


def test_a_write_that_fails_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    write_atomically(path, b"old")

    def full(handle: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(cache_module.os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_profile_in_json() -> None:
    profile = {"x": ShapeRange((1, 0), (2, 3), (4, 5))}
    assert json.loads(json.dumps(plain(profile))) == {"x": [[1, 0], [2, 3], [4, 5]]}


class Config:
    """A builder configuration that takes timings which begin with "ok", or empty ones."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def create_timing_cache(self, content: bytes) -> bytes:
        return content

    def set_timing_cache(self, cache: bytes, ignore_mismatch: bool) -> bool:
        assert ignore_mismatch is False
        fits = cache == b"" or cache.startswith(b"ok")
        self.taken += [cache] if fits else []
        return fits

    def get_timing_cache(self) -> Any:
        class Cache:
            def serialize(self) -> bytes:
                return b"ok, more"

        return Cache()


def test_timings_are_kept_for_each_version_and_gpu_and_foreign_ones_are_not_taken(tmp_path: Path) -> None:
    config: Any = Config()
    timings = timings_of(tmp_path, REQUEST)
    timings.use(config)
    timings.keep(config)
    timings.use(config)
    (file,) = tmp_path.iterdir()
    assert file.name == "10.4-sm90.timings"
    file.write_bytes(b"of another driver")
    timings.use(config)
    assert config.taken == [b"", b"ok, more", b""]
    other = timings_of(tmp_path, replace(REQUEST, target="sm89"))
    other.use(config)
    assert config.taken[-1] == b""
    rtx = timings_of(tmp_path / "rtx", replace(REQUEST, flavour=TENSORRT_RTX))
    rtx.use(config)
    rtx.keep(config)
    assert not (tmp_path / "rtx").exists()


@pytest.mark.parametrize("frames", [None, 2])
def test_the_vaes_graph_gives_the_same_planes_cast_last(
    frames: int | None, tiny_repository: Path, tmp_path: Path
) -> None:
    source = tiny_repository / Manifest.load(tiny_repository).graphs["vae_decoder"].file
    target = tmp_path / "planes.onnx"
    write_plane_graph(source, target, frames)
    latents = np.random.default_rng(0).standard_normal((3, 4, 4, 6), dtype=np.float32)
    expected = ort.InferenceSession(str(source)).run(list(PLANES), {"latents": latents})
    session = ort.InferenceSession(str(target))
    assert [output.name for output in session.get_outputs()] == list(PLANES)
    for plane, wanted in zip(session.run(None, {"latents": latents}), expected, strict=True):
        assert plane.shape[: -wanted.ndim + 1] == ((3, 2) if frames else (6,))
        np.testing.assert_array_equal(plane.reshape(wanted.shape), wanted)
    graph = onnx.load(target).graph
    casts = [node for node in graph.node if node.op_type == "Cast" and node.attribute[0].i == onnx.TensorProto.UINT8]
    assert sorted(node.output[0] for node in casts) == sorted(PLANES)  # uint8 nowhere but where it leaves


def test_a_graph_without_planes_is_refused(tiny_repository: Path, tmp_path: Path) -> None:
    source = tiny_repository / Manifest.load(tiny_repository).graphs["text_encoder"].file
    with pytest.raises(EngineBuildError, match="is no VAE decoder: its output y"):
        write_plane_graph(source, tmp_path / "x.onnx")


def test_a_bar_for_each_phase() -> None:
    with progress_bars(Console(quiet=True)) as display:
        bars = Bars(display)
        bars.start("outer", None, 2)
        bars.start("inner", "outer", 3)
        assert [task.description for task in display.tasks] == ["outer", "  inner"]
        assert bars.step("inner", 0)
        assert display.tasks[1].completed == 1
        bars.finish("inner")
        assert [task.description for task in display.tasks] == ["outer"]
        assert bars.step("never started", 0)
        bars.finish("never started")
