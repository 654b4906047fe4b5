"""What serving reads beside the graphs: each stage's settings, and the constants that gateways ask Triton for."""

import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from framecast.director.model import ServedModel
from framecast.export.bundle import Conventions
from framecast.export.families import family_of
from framecast.export.options import ExportOptions
from framecast.stages.contracts import with_served_model, write_configs


def downscale(conventions: Conventions, vae: Any) -> int:
    """Pixels of a frame to one latent, along a side."""
    return int(conventions.fold.rows * 2 ** (len(vae.config.block_out_channels) - 1))


def write_settings(folder: Path, settings: Mapping[str, object]) -> Path:
    """Writes ``settings.json``."""
    path = folder / "settings.json"
    path.write_text(json.dumps(settings, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path


def size_multiple(conventions: Conventions, pipeline: Any) -> int:
    """Of which width and height are multiples: the UNet halves what the VAE has scaled down already."""
    return downscale(conventions, pipeline.vae) * int(2 ** (len(pipeline.unet.config.block_out_channels) - 1))


def write_served(
    root: Path,
    name: str,
    source: str,
    conventions: Conventions,
    pipeline: Any,
    options: ExportOptions,
    step_counts: tuple[int, ...],
    *,
    safety_checker: bool = False,
) -> None:
    """The denoiser's and the decoder's limits, and every model's config.

    Args:
        root: the served repository.
        name: of the bundle.
        source: digest of what is exported (`framecast.export.source`).
        conventions: of the bundle.
        pipeline: the diffusers pipeline.
        options: of the export.
        step_counts: that have a sampler table.
        safety_checker: pictures are looked at.
    """
    config, scale = pipeline.unet.config, downscale(conventions, pipeline.vae)
    side = min(options.max_side, conventions.max_side or options.max_side)
    multiple = size_multiple(conventions, pipeline)
    write_settings(
        root / "denoiser" / "1",
        {
            "channels": config.in_channels,
            "width": config.cross_attention_dim,
            "max_tokens": pipeline.tokenizer.model_max_length,
            "downscale": scale,
            "size_multiple": multiple,
            "max_latents": conventions.segment_latents,
            "max_side": side,
            "max_batch": options.max_batch,
            "usual_volume": conventions.segment_latents * (conventions.height // scale) * (conventions.width // scale),
        },
    )
    write_settings(
        root / "vae_decoder" / "1",
        {
            "channels": config.in_channels,
            "max_latents": conventions.segment_latents,
            "max_side": side // scale,
        },
    )
    frames = conventions.fold.frames * conventions.hold
    write_settings(root / "frame_encoder" / "1", {"chunk_frames": conventions.chunk_latents * frames})
    write_configs(root)
    served = ServedModel(
        bundle=name,
        version=importlib.metadata.version("framecast"),
        latent_frames=frames,
        segment_latents=conventions.segment_latents,
        context_latents=conventions.context_latents,
        chunk_latents=conventions.chunk_latents,
        size_multiple=multiple,
        width=conventions.width,
        height=conventions.height,
        fps=conventions.fps,
        steps=conventions.steps,
        guidance_scale=conventions.guidance_scale,
        step_counts=step_counts,
        max_scenes=conventions.planner_max_scenes,
        source=source,
        max_side=side,
        camera=conventions.camera,
        still=family_of(pipeline.unet).still,
        safety_checker=safety_checker,
    )
    config_file = root / "denoiser" / "config.pbtxt"
    text = with_served_model(config_file.read_text(encoding="utf-8"), served.to_json())
    config_file.write_text(text, encoding="utf-8")
