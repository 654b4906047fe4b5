"""Clips prepared once: drawn, folded, encoded and kept as half-precision memory maps with their scenes beside them."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from numpy.lib import format as npy

from framecast.train.folding import FOLD, fold, to_floats
from framecast.train.models import Vae
from framecast.train.progress import Journal
from framecast.train.world.render import render
from framecast.train.world.scene import Scene, held_out, sample_scene


@dataclass(frozen=True)
class CacheConfig:
    """What is drawn.

    Attributes:
        samples: how many images or clips.
        latents: latents of one sample: 1 for an image, 12 for a clip of two seconds.
        continued: share of clips that begin in the middle of a scene; they are trained with clean context only.
        moving_camera: share of samples with a moving camera.
    """

    samples: int
    latents: int
    continued: float = 0.3
    moving_camera: float = 0.2
    seed: int = 31


IMAGES = CacheConfig(samples=2800, latents=1, moving_camera=0.0)
CLIPS = CacheConfig(samples=600, latents=12)


@dataclass(frozen=True)
class Sample:
    """One entry of a cache."""

    scene: Scene
    seed: int
    start: float

    @property
    def continued(self) -> bool:
        """Begins in the middle of its scene."""
        return self.start > 0


def draw_sample(config: CacheConfig, index: int, excluded: frozenset[tuple[str, str, str, str]]) -> Sample:
    """The `index`-th sample; an image is any moment of a scene's first two seconds."""
    rng = random.Random(f"cache {config.seed} {config.latents} {index}")
    scene = sample_scene(rng, excluded=excluded, moving_camera=config.moving_camera)
    if config.latents == 1:
        start = rng.uniform(0, 2 - FOLD.frames / 24)
    else:
        start = rng.uniform(0.5, 6) if rng.random() < config.continued else 0.0
    return Sample(scene, rng.randrange(2**31), start)


@torch.no_grad()
def encode(vae: Vae, frames: npt.NDArray[np.uint8]) -> torch.Tensor:
    """uint8 [T, H, W, 3] → mean latents float32 [T/4, C, h, w]."""
    latents: torch.Tensor = vae.encode(fold(to_floats(torch.from_numpy(frames)))).latent_dist.mode()
    return latents


def build(config: CacheConfig, vae: Vae, directory: Path) -> int:
    """Fills the cache, going on where an earlier run stopped; returns the number of samples.

    Writes `latents.npy` fp16 [samples, latents, C, h, w] and `samples.jsonl`, one line for each finished sample.
    """
    directory.mkdir(parents=True, exist_ok=True)
    excluded = held_out()
    path, lines = directory / "latents.npy", directory / "samples.jsonl"
    shape = (config.samples, config.latents, int(vae.config.latent_channels), 16, 16)
    done = len(lines.read_text(encoding="utf-8").splitlines()) if lines.exists() and path.exists() else 0
    open_memmap: Any = npy.open_memmap
    cache = open_memmap(path, mode="r+" if done else "w+", dtype=np.float16, shape=shape)
    with lines.open("a", encoding="utf-8") as out, Journal(directory, "cache", config.samples, begin=done) as journal:
        for index in range(done, config.samples):
            sample = draw_sample(config, index, excluded)
            frames = render(sample.scene, sample.seed, config.latents * FOLD.frames, start=sample.start)
            cache[index] = encode(vae, frames).numpy().astype(np.float16)
            out.write(json.dumps({"scene": asdict(sample.scene), "seed": sample.seed, "start": sample.start}) + "\n")
            if index % 50 == 49 or index + 1 == config.samples:
                cache.flush()
                out.flush()
            journal.log(index + 1, std=float(cache[index].astype(np.float32).std()))
    return config.samples


class LatentCache:
    """Reads a cache that may still be growing.

    Raises:
        FileNotFoundError: nothing has been cached in `directory`.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._latents = np.load(directory / "latents.npy", mmap_mode="r")
        self.samples: list[Sample] = []
        self.refresh()

    def refresh(self) -> None:
        """Takes in what has been finished since."""
        text = (self._directory / "samples.jsonl").read_text(encoding="utf-8")
        rows = text[: text.rfind("\n") + 1].splitlines()
        for row in rows[len(self.samples) :]:
            entry = json.loads(row)
            self.samples.append(Sample(Scene(**entry["scene"]), entry["seed"], entry["start"]))

    def __len__(self) -> int:
        return len(self.samples)

    def latents(self, index: int) -> torch.Tensor:
        """Float32 [latents, C, h, w]."""
        return torch.from_numpy(self._latents[index].astype(np.float32))
