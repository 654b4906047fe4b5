"""A written bundle loads as a diffusers pipeline and as a causal language model, and makes frames."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import TextToVideoSDPipeline
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, CLIPTokenizer, PreTrainedTokenizerFast

from framecast.train import begin, bundle, diffusion, planner, sheet, vae
from framecast.train.latents import CacheConfig, LatentCache, build, encode
from framecast.train.parallel import Crew
from framecast.train.principal import read
from framecast.train.world.render import render
from framecast.train.world.scene import Scene

from .conftest import DIFFUSION, PLANNER, VAE, even

CONFIG = bundle.BundleConfig(diffusion=DIFFUSION, vae=VAE, planner=PLANNER, steps=2)


@pytest.fixture(scope="module")
def written(tokenizers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every command of the recipe in miniature, then the bundle."""
    runs = tokenizers
    torch.set_num_threads(1)
    vae.train(VAE, runs / "vae", stop_at=1)
    planner.train(
        PLANNER, PreTrainedTokenizerFast.from_pretrained(runs / "tokenizers" / "planner"), runs / "planner", stop_at=1
    )
    build(CacheConfig(samples=2), vae.linear_code(VAE, runs / "vae"), runs / "cache", crew=Crew())
    text = CLIPTokenizer.from_pretrained(runs / "tokenizers" / "text")
    diffusion.train(DIFFUSION, LatentCache(runs / "cache"), text, even(VAE.latent_channels), runs / "unet", stop_at=1)
    out = tmp_path_factory.mktemp("bundles") / "tiny"
    (out / "unet").mkdir(parents=True)
    (out / "unet" / "stale.safetensors").write_bytes(b"old")
    with pytest.raises(ValueError, match=r"tiny exists and is no bundle; name another folder"):
        bundle.write(runs, out, CONFIG, {})
    assert (out / "unet" / "stale.safetensors").read_bytes() == b"old"
    for name in ("model_index.json", "framecast.json", "notes.txt"):
        (out / name).write_text("{}")
    size = bundle.write(runs, out, CONFIG, {"commit": "none", "command": "test", "date": "2026-01-01"})
    assert size == sum(p.stat().st_size for p in out.rglob("*.safetensors"))
    return out


def test_training_goes_on_from_a_bundle(written: Path, tokenizers: Path, tmp_path: Path) -> None:
    """The weights are those of the run, rounded to the bundle's half precision; so is the code of the latents."""
    runs = tmp_path / "runs"
    begin.begin(written, runs, CONFIG)
    for load in (_diffusion, _vae, _planner):
        for trained, taken in zip(load(tokenizers), load(runs), strict=True):
            for p, q in zip(trained.parameters(), taken.parameters(), strict=True):
                torch.testing.assert_close(q, p.half().float(), rtol=0, atol=0)
    before, after = (vae.linear_code(VAE, folder / "vae") for folder in (tokenizers, runs))
    frames = render(Scene("ball", "red", "snow", "jump"), 1, 8)
    one, other = (encode(frames, code).astype(float) for code in (before, after))
    assert np.abs(one - other).max() < 0.02 * np.abs(one).max()
    torch.testing.assert_close(after.levels, before.levels, rtol=5e-3, atol=0)
    torch.testing.assert_close(after.noise, before.noise, rtol=0.02, atol=0)
    with pytest.raises(FileExistsError, match="move it away"):
        begin.begin(written, runs, CONFIG)

    build(CacheConfig(samples=1), after, runs / "cache", crew=Crew())
    tokenizer = CLIPTokenizer.from_pretrained(runs / "tokenizers" / "text")
    still = replace(DIFFUSION, image_rate=0.0)
    diffusion.train(still, LatentCache(runs / "cache"), tokenizer, even(VAE.latent_channels), runs / "unet", stop_at=1)
    for trained, taken in zip(_diffusion(tokenizers), _diffusion(runs), strict=True):
        for p, q in zip(trained.parameters(), taken.parameters(), strict=True):
            torch.testing.assert_close(q, p.half().float(), rtol=0, atol=1e-6)
    bundle.write(runs, tmp_path / "again", CONFIG, {"commit": "none", "command": "again", "date": "2026-01-02"})
    trained = json.loads((tmp_path / "again" / "framecast.json").read_text())["trained"]
    assert trained["began_with"]["command"] == "test"
    assert "tune" not in trained["parts"]

    shutil.copytree(runs / "unet", runs / "tune")
    (runs / "tune" / "tune.json").write_text('{"stories": 3, "before": 1.25, "after": 1.125}')
    bundle.write(runs, tmp_path / "again", CONFIG, {})
    part = json.loads((tmp_path / "again" / "framecast.json").read_text())["trained"]["parts"]["tune"]
    assert part["steps"] == 1
    assert (part["losses"]["held-out before"], part["losses"]["held-out after"]) == (1.25, 1.125)


def _diffusion(runs: Path) -> tuple[nn.Module, ...]:
    return bundle.load_diffusion(runs, DIFFUSION, VAE.latent_channels)[:2]


def _vae(runs: Path) -> tuple[nn.Module, ...]:
    return (bundle.load_vae(runs, VAE),)


def _planner(runs: Path) -> tuple[nn.Module, ...]:
    return bundle.load_planner(runs, PLANNER)[:1]


def test_a_vae_of_another_code_is_not_bundled(written: Path, tmp_path: Path) -> None:
    """Latents of one code mean nothing to the decoder of another, even where both are right."""
    runs = tmp_path / "runs"
    begin.begin(written, runs, CONFIG)
    path = runs / "vae" / "principal.safetensors"
    code = load_file(path)
    save_file({**code, "components": code["components"].flip(1).contiguous()}, path)
    with pytest.raises(ValueError, match="another code"):
        bundle.write(runs, tmp_path / "out", CONFIG, {})
    with pytest.raises(ValueError, match="not a linear code"):
        read(vae.build(VAE))


def test_files(written: Path) -> None:
    for name in (
        "model_index.json",
        "framecast.json",
        "tokenizer/tokenizer.json",
        "text_encoder/model.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
        "scheduler/scheduler_config.json",
        "planner/tokenizer.json",
        "planner/model.safetensors",
    ):
        assert (written / name).is_file(), name
    assert not list(written.rglob("stale*"))
    assert (written / "notes.txt").read_text() == "{}", "what is no part of a bundle is somebody's"
    assert [path.name for path in written.parent.iterdir()] == ["tiny"]
    assert not [p for p in written.rglob("*") if p.suffix in (".bin", ".pt", ".ckpt", ".pkl")]
    serving = json.loads((written / "framecast.json").read_text())
    assert serving["fold"] == {"frames": 4, "rows": 16, "columns": 16}
    assert serving["segment_latents"] == 12
    assert serving["trained"]["parts"]["unet"]["steps"] == 1
    with safe_open(written / "unet" / "diffusion_pytorch_model.safetensors", "pt") as weights:
        assert len(list(weights.keys())) > 50


def test_the_pipeline_makes_frames(written: Path) -> None:
    pipe = TextToVideoSDPipeline.from_pretrained(written, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    frames = bundle.film(pipe, ["a white kitten plays in the courtyard, day"], steps=2, guidance=2.0, seed=1, latents=2)
    assert frames.shape == (1, 8, 256, 256, 3)
    assert frames.dtype == torch.uint8


def test_the_planner_answers(written: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(written / "planner")
    model = AutoModelForCausalLM.from_pretrained(written / "planner")
    assert tokenizer.eos_token_id == model.config.eos_token_id
    assert len(planner.plan(model, tokenizer, ["小猫玩耍", "a dog jumps in the snow"])) == 2


def test_sheets(written: Path, tokenizers: Path, tmp_path: Path) -> None:
    from framecast.train.world.scene import Scene

    sheet.world_sheet([Scene("ball", "red", "snow", "jump")], tmp_path / "world.png")
    shown = [("a red ball", render(Scene("ball", "red", "snow", "jump"), 0, 4))]
    sheet.vae_sheet(bundle.load_vae(tokenizers, VAE), shown, tmp_path / "vae.png")
    with Image.open(tmp_path / "world.png") as page:
        assert page.size == (960, 176)
    assert (tmp_path / "vae.png").exists()
