"""Contact sheets: rows of captioned frames in one PNG, to be looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw

from framecast.train.bundle import film
from framecast.train.folding import fold, to_floats, to_pixels, unfold
from framecast.train.models import Pipeline, Vae
from framecast.train.world.render import render
from framecast.train.world.scene import Scene

PROMPTS: tuple[str, ...] = (
    "a white kitten plays in the courtyard, day",
    "an orange kitten jumps in the snow, day",
    "a red car moves left on the street, day",
    "a blue bird flies up in the forest, day",
    "a yellow ball spins on the beach, day",
    "a black dog moves right in the meadow, night",
    "a white rabbit plays in the courtyard, night",
    "an orange fish moves right on the beach, day",
)


def draw_sheet(rows: list[tuple[str, npt.NDArray[np.uint8]]], path: Path, *, tile: int = 160) -> None:
    """Writes one row for each (caption, uint8 [N, H, W, 3])."""
    band = 16
    width = tile * max(len(frames) for _, frames in rows)
    page = Image.new("RGB", (width, (tile + band) * len(rows)), (255, 255, 255))
    pen = ImageDraw.Draw(page)
    for r, (caption, frames) in enumerate(rows):
        top = r * (tile + band)
        pen.text((4, top + 2), caption, fill=(30, 30, 40))
        for c, frame in enumerate(frames):
            page.paste(Image.fromarray(frame).resize((tile, tile), Image.Resampling.LANCZOS), (c * tile, top + band))
    path.parent.mkdir(parents=True, exist_ok=True)
    page.save(path)


def world_sheet(scenes: list[Scene], path: Path, *, columns: int = 6) -> None:
    """What the renderer draws: two seconds of each scene."""
    rows = []
    for seed, scene in enumerate(scenes):
        frames = render(scene, seed, 48)
        rows.append((str(scene), frames[:: 48 // columns][:columns]))
    draw_sheet(rows, path)


@torch.no_grad()
def vae_sheet(vae: Vae, shown: list[tuple[str, npt.NDArray[np.uint8]]], path: Path) -> None:
    """Four frames of each (caption, uint8 [4, H, W, 3]) and their reconstructions, side by side."""
    rows = []
    for caption, pictures in shown:
        frames = torch.from_numpy(pictures)
        decoded = vae.decode(vae.encode(fold(to_floats(frames))).latent_dist.mode()).sample
        back = to_pixels(unfold(decoded))
        rows.append((caption, torch.stack([frames[0], back[0], frames[3], back[3]]).numpy()))
    draw_sheet(rows, path, tile=256)


def clip_sheet(
    pipe: Pipeline,
    path: Path,
    *,
    prompts: tuple[str, ...] = PROMPTS,
    steps: int,
    guidance: float,
    seed: int = 7,
    latents: int = 12,
    columns: int = 6,
) -> None:
    """Generated clips, evenly spaced frames of each."""
    clips = film(pipe, list(prompts), steps=steps, guidance=guidance, seed=seed, latents=latents).numpy()
    count = clips.shape[1]
    picks = [round(i * (count - 1) / max(1, columns - 1)) for i in range(min(columns, count))]
    draw_sheet([(p, clip[picks]) for p, clip in zip(prompts, clips, strict=True)], path)
