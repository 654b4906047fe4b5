"""Training that goes on from a written bundle: its parts become the first checkpoints of new runs."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from framecast.train.bundle import BundleConfig
from framecast.train.models import read_planner, read_vae
from framecast.train.principal import read

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def begin(bundle: Path, runs: Path, config: BundleConfig) -> None:
    """Unpacks `bundle` into `runs`, in single precision; every recipe then starts from its weights, at step 0.

    The latents' code is read from the VAE too. Worked out anew it would have other signs and other faint components
    on another machine, and a UNet of one code is useless in another.

    Raises:
        FileNotFoundError: `bundle` lacks a part.
        FileExistsError: `runs` has parts already.
    """
    for part in ("tokenizers", "vae", "unet", "planner"):
        if (runs / part).exists():
            raise FileExistsError(f"{runs / part} is there already: move it away, or name another folder with --runs")
    vae = read_vae(bundle / "vae", dtype=torch.float32, local_files_only=True)
    code = read(vae)
    (runs / "vae").mkdir(parents=True)
    save_file(asdict(code), runs / "vae" / "principal.safetensors")
    shutil.copy(bundle / "framecast.json", runs / "began.json")
    weights = {
        ("vae", "vae"): "vae/diffusion_pytorch_model",
        ("vae", "average"): "vae/diffusion_pytorch_model",
        ("unet", "unet"): "unet/diffusion_pytorch_model",
        ("unet", "average_unet"): "unet/diffusion_pytorch_model",
        ("unet", "text_encoder"): "text_encoder/model",
        ("unet", "average_text_encoder"): "text_encoder/model",
    }
    for (run, name), file in weights.items():
        _keep(load_file(bundle / f"{file}.safetensors"), runs / run / "last" / f"{name}.safetensors")
    # The library ties output to input weights, and writes them once.
    planner = read_planner(bundle / "planner", dtype=torch.float32, local_files_only=True)
    _keep(planner.state_dict(), runs / "planner" / "last" / "planner.safetensors")
    for name, folder in (("planner", "planner"), ("text", "tokenizer")):
        (runs / "tokenizers" / name).mkdir(parents=True)
        for file in TOKENIZER_FILES:
            if (bundle / folder / file).exists():
                shutil.copy(bundle / folder / file, runs / "tokenizers" / name / file)


def _keep(weights: dict[str, torch.Tensor], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: value.float().clone() for key, value in weights.items()}, path)
