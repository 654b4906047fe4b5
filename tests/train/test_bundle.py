"""A written bundle loads as a diffusers pipeline and as a causal language model, and makes frames."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import AnimateDiffPipeline
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, CLIPTokenizer, PreTrainedTokenizerFast

from framecast.train import bundle, diffusion, planner, sheet, vae
from framecast.train.latents import CacheConfig, LatentCache, build
from framecast.train.parallel import Crew

from .conftest import DIFFUSION, PLANNER, VAE

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
    diffusion.train(
        DIFFUSION, LatentCache(runs / "cache"), text, torch.ones(VAE.latent_channels), runs / "unet", stop_at=1
    )
    out = tmp_path_factory.mktemp("bundles") / "tiny"
    (out / "unet").mkdir(parents=True)
    (out / "unet" / "stale.safetensors").write_bytes(b"old")
    size = bundle.write(runs, out, CONFIG, {"commit": "none", "command": "test", "date": "2026-01-01"})
    assert size == sum(p.stat().st_size for p in out.rglob("*.safetensors"))
    return out


def test_training_goes_on_from_a_bundle(written: Path, tokenizers: Path) -> None:
    """The weights are those of the run, rounded to the bundle's half precision."""
    unet, encoder, tokenizer = bundle.load_diffusion(tokenizers, DIFFUSION, VAE.latent_channels)
    models = bundle.published(written, DIFFUSION, VAE.latent_channels, tokenizer)
    for trained, taken in ((unet, models["unet"]), (encoder, models["text_encoder"])):
        for p, q in zip(trained.parameters(), taken.parameters(), strict=True):
            torch.testing.assert_close(q, p.half().float(), rtol=0, atol=0)


def test_a_text_to_video_unet_lends_its_layers_of_space(written: Path, tokenizers: Path, tmp_path: Path) -> None:
    """Of a bundle without our layers across time they stay the identity; one without a layer of space is refused."""
    tokenizer = CLIPTokenizer.from_pretrained(tokenizers / "tokenizers" / "text")
    other = tmp_path / "other"
    shutil.copytree(written, other)
    file = other / "unet" / "diffusion_pytorch_model.safetensors"
    weights = {k: v for k, v in load_file(file).items() if ".motion_modules." not in k}
    save_file(weights, file)
    taken = bundle.published(other, DIFFUSION, VAE.latent_channels, tokenizer)["unet"].state_dict()
    assert not any(v.any() for k, v in taken.items() if k.endswith("motion_modules.0.proj_out.weight"))
    for key, value in weights.items():
        torch.testing.assert_close(taken[key], value.float(), rtol=0, atol=0)
    save_file({k: v for k, v in weights.items() if k != "conv_in.weight"}, file)
    with pytest.raises(RuntimeError, match=r"conv_in\.weight"):
        bundle.published(other, DIFFUSION, VAE.latent_channels, tokenizer)


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
    assert not [p for p in written.rglob("*") if p.suffix in (".bin", ".pt", ".ckpt", ".pkl")]
    serving = json.loads((written / "framecast.json").read_text())
    assert serving["fold"] == {"frames": 4, "rows": 16, "columns": 16}
    assert serving["segment_latents"] == 12
    assert serving["trained"]["parts"]["unet"]["steps"] == 1
    with safe_open(written / "unet" / "diffusion_pytorch_model.safetensors", "pt") as weights:
        assert len(list(weights.keys())) > 50


def test_the_pipeline_makes_frames(written: Path) -> None:
    pipe = AnimateDiffPipeline.from_pretrained(written, dtype=torch.float32)
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
    sheet.vae_sheet(bundle.load_vae(tokenizers, VAE), [Scene("ball", "red", "snow", "jump")], tmp_path / "vae.png")
    with Image.open(tmp_path / "world.png") as page:
        assert page.size == (960, 176)
    assert (tmp_path / "vae.png").exists()
