"""The folded VAE: diffusers' AutoencoderKL on 48-channel maps; L1 + edges + β·KL + a late adversarial term.

Follows latent diffusion's first stage (Rombach et al. 2022, arXiv:2112.10752); the edge term replaces a perceptual
network, which would have to be downloaded and knows photographs, not drawings.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from framecast.train.checkpoint import Checkpoint
from framecast.train.discriminator import AdversarialConfig, PatchDiscriminator, adaptive_weight, hinge_loss
from framecast.train.folding import FOLD, fold, to_floats
from framecast.train.models import Vae, make_vae
from framecast.train.progress import Journal
from framecast.train.world.render import render
from framecast.train.world.scene import sample_scene


@dataclass(frozen=True)
class VaeConfig:
    """Architecture and recipe."""

    blocks: tuple[int, ...] = (32, 32, 96, 128)
    latent_channels: int = 16
    groups: int = 8
    steps: int = 2000
    batch: int = 8
    crop: int = 64
    """Side of the folded training crops; 128 is the whole picture. The network is convolutional, crops are cheaper."""
    whole: float = 0.06
    """Share of the last steps that train on whole pictures, so that normalisation sees what it will serve."""
    rate: float = 1e-3
    beta: float = 1e-3
    """Weight of the KL per latent value."""
    edges: float = 0.5
    ema: float = 0.995
    seed: int = 11
    adversarial: AdversarialConfig = field(default_factory=AdversarialConfig)


def build(config: VaeConfig) -> Vae:
    """A fresh AutoencoderKL with random weights."""
    depth = len(config.blocks)
    return make_vae(
        in_channels=FOLD.channels,
        out_channels=FOLD.channels,
        down_block_types=("DownEncoderBlock2D",) * depth,
        up_block_types=("UpDecoderBlock2D",) * depth,
        block_out_channels=config.blocks,
        layers_per_block=1,
        latent_channels=config.latent_channels,
        norm_num_groups=config.groups,
        sample_size=128,
        mid_block_add_attention=False,
    )


def edges(maps: torch.Tensor) -> torch.Tensor:
    """Differences of neighbouring pixels of a folded map [B, C, H, W], along both axes, flattened."""
    across = maps[..., :, 1:] - maps[..., :, :-1]
    down = maps[..., 1:, :] - maps[..., :-1, :]
    return torch.cat([across.flatten(1), down.flatten(1)], dim=1)


def draw_maps(rng: random.Random, count: int, crop: int) -> torch.Tensor:
    """Folded training crops [count, 48, crop, crop], four crops from each of the drawn moments."""
    maps = []
    for _ in range(-(-count // 4)):
        frames = render(
            sample_scene(rng, excluded=frozenset()), rng.randrange(2**31), FOLD.frames, start=rng.uniform(0, 6)
        )
        whole = fold(to_floats(torch.from_numpy(frames)))
        for _ in range(4):
            top, left = (rng.randrange(0, 128 - crop + 1, 8) for _ in range(2))
            maps.append(whole[:, :, top : top + crop, left : left + crop])
            if crop == 128:
                break
    rng.shuffle(maps)
    return torch.cat(maps[:count])


class MapSource(torch.utils.data.IterableDataset[torch.Tensor]):
    """An endless stream of crops, drawn while the network trains; step i always sees the same crops."""

    def __init__(self, config: VaeConfig, first: int) -> None:
        self.config, self.first = config, first

    def __iter__(self) -> MapSource:
        self.step = self.first
        return self

    def __next__(self) -> torch.Tensor:
        rng = random.Random(f"vae {self.config.seed} {self.step}")
        whole = self.step >= self.config.steps * (1 - self.config.whole)
        self.step += 1
        return draw_maps(rng, 2 if whole else self.config.batch, 128 if whole else self.config.crop)


def losses(vae: Vae, maps: torch.Tensor, config: VaeConfig) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(reconstruction loss, KL per latent value, reconstruction)."""
    posterior = vae.encode(maps).latent_dist
    decoded = vae.decode(posterior.sample()).sample
    reconstruction = F.l1_loss(decoded, maps) + config.edges * F.l1_loss(edges(decoded), edges(maps))
    return reconstruction, posterior.kl().mean() / posterior.mean[0].numel(), decoded


def train(config: VaeConfig, directory: Path, *, stop_at: int | None = None) -> Vae:
    """Trains, resuming from `directory` when it holds a checkpoint; returns the averaged weights."""
    torch.manual_seed(config.seed)
    vae = build(config).to(memory_format=torch.channels_last)
    average = build(config)
    average.load_state_dict(vae.state_dict())
    critic = PatchDiscriminator(FOLD.channels, config.adversarial.width)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=config.rate, betas=(0.9, 0.99), weight_decay=1e-4)
    critic_optimizer = torch.optim.AdamW(critic.parameters(), lr=config.adversarial.rate, betas=(0.5, 0.9))
    keeper = Checkpoint(
        directory, {"vae": vae, "average": average, "critic": critic}, {"vae": optimizer, "critic": critic_optimizer}
    )
    begin, _ = keeper.load()
    end = min(config.steps, stop_at or config.steps)
    source = MapSource(config, begin)
    stream = iter(torch.utils.data.DataLoader(source, batch_size=None, num_workers=0))
    last_layer = vae.decoder.conv_out.weight
    with Journal(directory, "vae", config.steps, begin=begin) as journal:
        for step in range(begin, end):
            maps = next(stream).to(memory_format=torch.channels_last)
            for group in optimizer.param_groups:
                group["lr"] = _rate(config, step)
            reconstruction, kl, decoded = losses(vae, maps, config)
            loss = reconstruction + config.beta * kl
            numbers = {"loss": reconstruction.item(), "kl": kl.item()}
            speaking = step >= config.steps * config.adversarial.start
            if speaking:
                forged = -critic(decoded).mean()
                weight = adaptive_weight(reconstruction, forged, last_layer, config.adversarial)
                # Fades in over the first two hundred steps: an untrained critic would only add noise.
                fade = min(1.0, (step - config.steps * config.adversarial.start) / 200)
                loss = loss + fade * weight * forged
                numbers["weight"] = weight.item()
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
            optimizer.step()
            if speaking:
                judged = hinge_loss(critic(maps), critic(decoded.detach()))
                critic_optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(judged)
                critic_optimizer.step()
                numbers["critic"] = judged.item()
            blend(average, vae, min(config.ema, (step + 1) / (step + 10)))
            journal.log(step + 1, **numbers)
            if (step + 1) % 200 == 0 or step + 1 == end:
                keeper.save(step + 1)
    return average


def _rate(config: VaeConfig, step: int) -> float:
    warm = min(1.0, (step + 1) / 100)
    return config.rate * warm * (0.05 + 0.95 * (1 + math.cos(math.pi * step / config.steps)) / 2)


@torch.no_grad()
def blend(average: torch.nn.Module, module: torch.nn.Module, keep: float) -> None:
    """Exponential moving average of the weights, in place."""
    for slow, fast in zip(average.parameters(), module.parameters(), strict=True):
        slow.lerp_(fast, 1.0 - keep)


@torch.no_grad()
def measure(vae: Vae, *, scenes: int = 24, seed: int = 99) -> dict[str, float]:
    """PSNR in dB of whole held-out renders (unseen combinations and seeds) and the standard deviation of latents."""
    rng = random.Random(seed)
    errors, spread = [], []
    for _ in range(scenes):
        frames = render(sample_scene(rng, seen=False), rng.randrange(2**31), FOLD.frames, start=rng.uniform(0, 6))
        maps = fold(to_floats(torch.from_numpy(frames)))
        latents = vae.encode(maps).latent_dist.mode()
        spread.append(latents.flatten())
        errors.append(F.mse_loss(vae.decode(latents).sample.clamp(-1, 1), maps).item() / 4)
    psnr = float(np.mean([-10 * np.log10(e) for e in errors]))
    return {"psnr": psnr, "latent_std": float(torch.cat(spread).std())}
