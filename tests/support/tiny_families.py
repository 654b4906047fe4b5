"""Bundles of the other families' real classes, with a few thousand random weights."""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AnimateDiffPipeline,
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    LCMScheduler,
    MotionAdapter,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from tests.support.tiny_bundle import tiny_text_encoder, write_tiny_planner

BETAS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


def write_animate_diff(path: Path) -> Path:
    """AnimateDiff with the few-step scheduler of AnimateLCM, planned by a Qwen3."""
    torch.manual_seed(0)
    text_encoder, tokenizer = tiny_text_encoder(path / "clip")
    adapter = MotionAdapter(
        block_out_channels=(8, 16),
        motion_layers_per_block=1,
        motion_num_attention_heads=2,
        motion_norm_num_groups=4,
        motion_max_seq_length=16,
        use_motion_mid_block=False,
    )
    scheduler = LCMScheduler(**BETAS, clip_sample=False)
    pipeline = AnimateDiffPipeline(tiny_vae(), text_encoder, tokenizer, tiny_unet(), adapter, scheduler)
    _shake(pipeline.unet)
    return _write(
        pipeline, path / "animated", qwen=True, steps=4, guidance_scale=1.5, segment_latents=8, chunk_latents=4, fps=8
    )


def write_stable_diffusion(path: Path) -> Path:
    """Stable Diffusion with DPM++ 2M and guidance rescale; every picture is held for four frames."""
    torch.manual_seed(0)
    text_encoder, tokenizer = tiny_text_encoder(path / "clip")
    scheduler = DPMSolverMultistepScheduler(**BETAS, steps_offset=1)
    pipeline = StableDiffusionPipeline(
        tiny_vae(), text_encoder, tokenizer, tiny_unet(), scheduler, None, None, requires_safety_checker=False
    )
    _shake(pipeline.unet)
    return _write(
        pipeline, path / "pictures", steps=6, guidance_scale=4.0, guidance_rescale=0.6, segment_latents=4, hold=4, fps=4
    )


def tiny_vae() -> AutoencoderKL:
    """An image VAE that halves once."""
    torch.manual_seed(2)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 16),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
    )


def tiny_unet() -> UNet2DConditionModel:
    """An image UNet of two levels."""
    torch.manual_seed(1)
    return UNet2DConditionModel(
        sample_size=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(8, 16),
        layers_per_block=1,
        cross_attention_dim=16,
        attention_head_dim=2,
        norm_num_groups=4,
    )


def _shake(unet: Any) -> None:
    """Layers that begin as zeros (motion modules do) would hide a mistake in them."""
    with torch.no_grad():
        for parameter in unet.parameters():
            if not parameter.any():
                parameter.normal_(std=0.05)


def _write(pipeline: Any, bundle: Path, *, qwen: bool = False, **conventions: float) -> Path:
    pipeline.save_pretrained(bundle)
    write_tiny_planner(bundle / "planner", qwen=qwen)
    settings = {"width": 32, "height": 32, "planner_max_scenes": 2, "planner_max_new_tokens": 300, **conventions}
    (bundle / "framecast.json").write_text(json.dumps(settings), encoding="utf-8")
    return bundle
