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
from framecast.train.muon import Muon
from framecast.train.parallel import Crew
from framecast.train.passthrough import pass_colours
from framecast.train.progress import Journal
from framecast.train.world.render import render
from framecast.train.world.scene import sample_scene


@dataclass(frozen=True)
class VaeConfig:
    """Architecture and recipe."""

    blocks: tuple[int, ...] = (32, 32, 96, 128)
    latent_channels: int = 16
    groups: int = 8
    steps: int = 800
    batch: int = 8
    crop: int = 64
    """Side of the folded training crops; 128 is the whole picture. The network is convolutional, crops are cheaper."""
    whole: float = 0.06
    """Share of the last steps that train on whole pictures, so that normalisation sees what it will serve."""
    rate: float = 5e-3
    quiet: float = -5.0
    """Initial log-variance of the latents' noise."""
    beta: float = 2e-4
    """Weight of the KL per latent value."""
    edges: float = 0.5
    ema: float = 0.99
    seed: int = 11
    adversarial: AdversarialConfig = field(default_factory=AdversarialConfig)


def build(config: VaeConfig) -> Vae:
    """A fresh AutoencoderKL with random weights."""
    depth = len(config.blocks)
    model = make_vae(
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
    pass_colours(model, config.quiet)
    return model


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

    def __init__(self, config: VaeConfig, first: int, rank: int = 0) -> None:
        self.config, self.first, self.rank = config, first, rank

    def __iter__(self) -> MapSource:
        self.step = self.first
        return self

    def __next__(self) -> torch.Tensor:
        rng = random.Random(f"vae {self.config.seed} {self.step} {self.rank}")
        whole = self.step >= self.config.steps * (1 - self.config.whole)
        self.step += 1
        return draw_maps(rng, 2 if whole else self.config.batch, 128 if whole else self.config.crop)


def losses(vae: Vae, maps: torch.Tensor, config: VaeConfig) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(reconstruction loss, KL per latent value, reconstruction)."""
    posterior = vae.encode(maps).latent_dist
    decoded = vae.decode(posterior.sample()).sample
    reconstruction = F.l1_loss(decoded, maps) + config.edges * F.l1_loss(edges(decoded), edges(maps))
    return reconstruction, posterior.kl().mean() / posterior.mean[0].numel(), decoded


def train(config: VaeConfig, directory: Path, *, stop_at: int | None = None, crew: Crew | None = None) -> Vae:
    """Trains, resuming from `directory` when it holds a checkpoint; returns the averaged weights."""
    crew = crew or Crew()
    torch.manual_seed(config.seed)
    vae = build(config).to(memory_format=torch.channels_last)
    average = build(config)
    average.load_state_dict(vae.state_dict())
    critic = PatchDiscriminator(FOLD.channels, config.adversarial.width)
    optimizer = Muon(vae.parameters(), config.rate)
    critic_optimizer = torch.optim.AdamW(critic.parameters(), lr=config.adversarial.rate, betas=(0.5, 0.9))
    keeper = Checkpoint(
        directory, {"vae": vae, "average": average, "critic": critic}, {"vae": optimizer, "critic": critic_optimizer}
    )
    begin, _ = keeper.load()
    end = min(config.steps, stop_at or config.steps)
    source = MapSource(config, begin, crew.rank)
    stream = iter(torch.utils.data.DataLoader(source, batch_size=None, num_workers=0))
    last_layer = vae.decoder.conv_out.weight
    with Journal(directory, "vae", config.steps, begin=begin) if crew.leads else crew.silence() as journal:
        for step in range(begin, end):
            # The posterior's noise depends on the step alone, so that a resumed run is the run.
            torch.manual_seed(config.seed * 1_000_003 + step * 64 + crew.rank)
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
            crew.average(list(vae.parameters()))
            torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
            optimizer.step()
            if speaking:
                judged = hinge_loss(critic(maps), critic(decoded.detach()))
                critic_optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(judged)
                crew.average(list(critic.parameters()))
                critic_optimizer.step()
                numbers["critic"] = judged.item()
            blend(average, vae, min(config.ema, (step + 1) / (step + 10)))
            journal.log(step + 1, **numbers)
            if crew.leads and ((step + 1) % 100 == 0 or step + 1 == end):
                keeper.save(step + 1)
    return average


def _rate(config: VaeConfig, step: int) -> float:
    warm = min(1.0, (step + 1) / 30)
    return config.rate * warm * (0.05 + 0.95 * (1 + math.cos(math.pi * step / config.steps)) / 2)


@torch.no_grad()
def blend(average: torch.nn.Module, module: torch.nn.Module, keep: float) -> None:
    """Exponential moving average of the weights, in place."""
    for slow, fast in zip(average.parameters(), module.parameters(), strict=True):
        slow.lerp_(fast, 1.0 - keep)


@torch.no_grad()
def statistics(vae: Vae, *, scenes: int = 96, seed: int = 98) -> dict[str, list[float]]:
    """Mean and standard deviation of each latent channel over training renders."""
    rng = random.Random(seed)
    latents = []
    for _ in range(scenes):
        frames = render(sample_scene(rng), rng.randrange(2**31), FOLD.frames, start=rng.uniform(0, 6))
        latents.append(vae.encode(fold(to_floats(torch.from_numpy(frames)))).latent_dist.mode())
    values = torch.cat(latents).transpose(0, 1).flatten(1)
    return {"mean": values.mean(dim=1).tolist(), "std": values.std(dim=1).tolist()}


@torch.no_grad()
def level(vae: Vae, mean: list[float], std: list[float]) -> None:
    """Moves every latent channel to mean 0 and deviation 1, in place and without changing any picture.

    The bundle has one scaling factor for all channels; a loud channel would otherwise hide the quiet ones in noise. The
    two 1×1 convolutions around the latents take the change.
    """
    shift, size = torch.tensor(mean), torch.tensor(std).clamp(min=1e-6)
    into, out = vae.quant_conv, vae.post_quant_conv
    count = len(mean)
    out.bias += (out.weight[:, :, 0, 0] @ shift[:, None])[:, 0]
    out.weight *= size.view(1, -1, 1, 1)
    into.bias[:count] = (into.bias[:count] - shift) / size
    into.weight[:count] /= size.view(-1, 1, 1, 1)
    into.bias[count:] -= 2 * size.log()


@torch.no_grad()
def measure(vae: Vae, *, scenes: int = 24, seed: int = 99) -> dict[str, float]:
    """PSNR in dB of whole held-out renders (unseen combinations and seeds)."""
    rng = random.Random(seed)
    errors = []
    for _ in range(scenes):
        frames = render(sample_scene(rng, seen=False), rng.randrange(2**31), FOLD.frames, start=rng.uniform(0, 6))
        maps = fold(to_floats(torch.from_numpy(frames)))
        decoded = vae.decode(vae.encode(maps).latent_dist.mode()).sample
        errors.append(F.mse_loss(decoded.clamp(-1, 1), maps).item() / 4)
    return {"psnr": float(np.mean([-10 * np.log10(e) for e in errors]))}
