"""Writes the bundle: a diffusers pipeline directory plus `planner/` and `framecast.json`."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import CLIPTokenizer, PreTrainedTokenizerFast

from framecast.train import diffusion, planner, text, vae
from framecast.train.captions import form
from framecast.train.characters import traditional
from framecast.train.checkpoint import reached, restore
from framecast.train.folding import FOLD, to_pixels, unfold
from framecast.train.models import Pipeline, Planner, TextEncoder, Unet, Vae, make_pipeline
from framecast.train.own import noted
from framecast.train.principal import read, start
from framecast.train.progress import read_curve
from framecast.train.quick import quicken
from framecast.train.stories import MAX_SCENES
from framecast.train.tokenizers import planner_tokenizer, text_tokenizer
from framecast.train.world.vocabulary import SUBJECTS

SEGMENT_LATENTS = 12
_CONVENTIONS = "framecast.json"


@dataclass(frozen=True)
class BundleConfig:
    """What serving reads from `framecast.json`."""

    fps: int = 24
    width: int = 256
    height: int = 256
    max_side: int = 256
    camera: str = "view"
    steps: int = 4
    guidance_scale: float = 2.0
    diffusion: diffusion.DiffusionConfig = field(default_factory=diffusion.DiffusionConfig)
    vae: vae.VaeConfig = field(default_factory=vae.VaeConfig)
    planner: planner.PlannerConfig = field(default_factory=planner.PlannerConfig)


def _restore(module: nn.Module, path: Path) -> bool:
    """Loads the weights when a run has written them."""
    if not path.exists():
        return False
    restore(module, path)
    return True


def load_vae(runs: Path, config: vae.VaeConfig, *, scale: float = 1.0) -> Vae:
    """The averaged VAE of the run; its linear start when only the code has been worked out.

    The code's levels give the latents a mean square of 1; `scale` becomes the scaling factor that diffusion works at.

    Raises:
        FileNotFoundError: no VAE has been trained in `runs`.
    """
    if not (runs / "vae" / "principal.safetensors").exists():
        raise FileNotFoundError(f"no VAE in {runs / 'vae'}: run `framecast train vae` first")
    model = vae.build(config)
    if not _restore(model, runs / "vae" / "last" / "average.safetensors"):
        start(model, vae.kept_code(runs / "vae"))
    model.register_to_config(scaling_factor=scale)
    return model.eval()


def load_planner(runs: Path, config: planner.PlannerConfig) -> tuple[Planner, PreTrainedTokenizerFast]:
    """The planner and its tokenizer.

    Raises:
        FileNotFoundError: no planner has been trained in `runs`.
    """
    tokenizer = planner_tokenizer(runs)
    model = planner.build(config, tokenizer)
    if not _restore(model, runs / "planner" / "last" / "planner.safetensors"):
        raise FileNotFoundError(f"no planner checkpoint in {runs / 'planner'}: run `framecast train planner` first")
    return model.eval(), tokenizer


def load_diffusion(
    runs: Path, config: diffusion.DiffusionConfig, channels: int, *, tuned: bool = True
) -> tuple[Unet, TextEncoder, CLIPTokenizer]:
    """The averaged UNet and text encoder; the tuned ones where `runs` has them, unless `tuned` is False.

    Raises:
        FileNotFoundError: no UNet has been trained in `runs`.
    """
    tokenizer = text_tokenizer(runs)
    unet, encoder = diffusion.build(config, channels), text.build(config.text, tokenizer)
    finished = tuned and (runs / "tune" / "tune.json").exists()
    last = runs / ("tune" if finished else "unet") / "last"
    if not (
        _restore(unet, last / "average_unet.safetensors")
        and _restore(encoder, last / "average_text_encoder.safetensors")
    ):
        raise FileNotFoundError(f"no UNet checkpoint in {runs / 'unet'}: run `framecast train unet` first")
    return unet.eval(), encoder.eval(), tokenizer


def pipeline(runs: Path, config: BundleConfig) -> Pipeline:
    """The trained parts as a diffusers pipeline."""
    autoencoder = load_vae(runs, config.vae, scale=config.diffusion.scale)
    unet, encoder, tokenizer = load_diffusion(runs, config.diffusion, config.vae.latent_channels)
    quicken(unet)
    return make_pipeline(
        vae=autoencoder,
        text_encoder=encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=diffusion.scheduler(),
    )


def write(runs: Path, out: Path, config: BundleConfig, made_by: dict[str, Any]) -> int:
    """Writes the bundle next to `out` and then moves file by file over it, so that readers never see half a file.

    Args:
        runs: where the parts were trained.
        out: the bundle's directory: a new one, an empty one or a bundle, of whose parts stale files are removed.
        config: serving values.
        made_by: commit, command, date and figures, kept under "trained".

    Returns:
        Bytes of all weights.

    Raises:
        FileNotFoundError: a part has not been trained.
        ValueError: `out` is something else, or the VAE's code is not the one that the cached latents are in.
    """
    out = out.resolve()
    _require_ours(out)
    fresh = out.with_name(f".{out.name}.fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        _write(runs, fresh, config, made_by)
        return publish(fresh, out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _require_ours(out: Path) -> None:
    if out.is_dir() and not any(out.iterdir()):
        return
    if out.exists() and not all((out / name).is_file() for name in ("model_index.json", _CONVENTIONS)):
        raise ValueError(f"--out {out} exists and is no bundle; name another folder")


def _write(runs: Path, fresh: Path, config: BundleConfig, made_by: dict[str, Any]) -> None:
    pipe = pipeline(runs, config)
    code = vae.kept_code(runs / "vae")
    if not torch.allclose(read(pipe.vae).components, code.components, atol=0.01):
        raise ValueError(f"the VAE in {runs / 'vae'} speaks another code than the UNet was trained on: train it anew")
    # Half precision halves the bundle; what reads it computes in single.
    pipe.to(torch.float16).save_pretrained(fresh, safe_serialization=True)
    model, tokenizer = load_planner(runs, config.planner)
    model.half()
    model.generation_config.do_sample = False
    model.save_pretrained(fresh / "planner")
    tokenizer.save_pretrained(fresh / "planner")
    serving = json.dumps(_serving(config, runs, made_by), indent=2, ensure_ascii=False) + "\n"
    (fresh / _CONVENTIONS).write_text(serving, encoding="utf-8")


def _serving(config: BundleConfig, runs: Path, made_by: dict[str, Any]) -> dict[str, Any]:
    began = runs / "began.json"
    trained = dict(made_by)
    if began.exists():
        trained["began_with"] = json.loads(began.read_text(encoding="utf-8"))["trained"]
    parts: dict[str, dict[str, Any]] = {}
    tuned = runs / "tune" / "tune.json"
    for name in ("vae", "planner", "unet", *(["tune"] if tuned.exists() else [])):
        steps = reached(runs / name)
        if rows := [row for row in read_curve(runs / name) if row["step"] <= steps]:  # a killed run's go on beyond it
            losses = {k: round(v, 4) for k, v in _tail_means(rows).items()}
            parts[name] = {"steps": steps, "losses": losses}
    if "tune" in parts:
        held_out = json.loads(tuned.read_text(encoding="utf-8"))
        parts["tune"]["losses"] |= {f"held-out {when}": round(held_out[when], 4) for when in ("before", "after")}
    return {
        "fold": FOLD.as_dict(),
        "fps": config.fps,
        "width": config.width,
        "height": config.height,
        "max_side": config.max_side,
        "camera": config.camera,
        "segment_latents": SEGMENT_LATENTS,
        "context_latents": config.diffusion.context,
        "steps": config.steps,
        "guidance_scale": config.guidance_scale,
        "planner_max_scenes": MAX_SCENES,
        # What others draw is theirs to know.
        **({} if noted(runs) else {"planner_subjects": planner_subjects(), "planner_prompts": form("{subjects}")}),
        "trained": {**trained, "parts": parts},
    }


def planner_subjects() -> dict[str, list[str]]:
    """Every subject with the nouns that a story may use for it, in English and in both Chinese scripts."""
    return {s.name: [*s.english, *dict.fromkeys([*s.chinese, *map(traditional, s.chinese)])] for s in SUBJECTS.values()}


def _tail_means(rows: list[dict[str, float]], count: int = 50) -> dict[str, float]:
    """Mean of each number over its last `count` steps."""
    means: dict[str, float] = {}
    for name in {k for row in rows for k in row} - {"step", "seconds"}:
        values = [row[name] for row in rows if name in row][-count:]
        means[name] = sum(values) / len(values)
    return dict(sorted(means.items()))


def publish(fresh: Path, out: Path) -> int:
    """Moves every file of `fresh` over `out` and removes what the same folders of `out` have beyond them.

    Returns:
        Bytes of all weights.
    """
    wanted = {p.relative_to(fresh) for p in fresh.rglob("*") if p.is_file()}
    for name in sorted(wanted):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (fresh / name).chmod(0o644)
        os.replace(fresh / name, out / name)
    for part in {name.parts[0] for name in wanted if len(name.parts) > 1 and not (out / name.parts[0]).is_symlink()}:
        for path in [p for p in (out / part).rglob("*") if p.is_file() and p.relative_to(out) not in wanted]:
            path.unlink()
    return sum(p.stat().st_size for p in out.rglob("*.safetensors"))


@torch.inference_mode()
def film(
    pipe: Pipeline,
    captions: list[str],
    *,
    steps: int,
    guidance: float,
    seed: int,
    latents: int = SEGMENT_LATENTS,
) -> torch.Tensor:
    """Generates clips through the diffusers pipeline and decodes them: uint8 [B, latents·4, 256, 256, 3]."""
    out = pipe(
        captions,
        height=16 * pipe.vae_scale_factor,
        width=16 * pipe.vae_scale_factor,
        num_frames=latents,
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=torch.Generator().manual_seed(seed),
        output_type="latent",
    ).frames
    clips = []
    for clip in out:
        maps = [pipe.vae.decode(z[None] / pipe.vae.config.scaling_factor).sample for z in clip.transpose(0, 1)]
        clips.append(to_pixels(unfold(torch.cat(maps))))
    return torch.stack(clips)
