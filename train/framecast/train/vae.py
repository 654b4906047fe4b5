"""The folded VAE: diffusers' AutoencoderKL on patches of 4 frames × 16 × 16 pixels.

Squared and absolute error of pixels and edges, β·KL, and a late adversarial term.

Follows latent diffusion's first stage (Rombach et al. 2022, arXiv:2112.10752); the edge term replaces a perceptual
network, which would have to be downloaded and knows photographs, not drawings.
"""

from __future__ import annotations

import math
import random
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torchmetrics.functional.image import structural_similarity_index_measure

from framecast.train.average import blend
from framecast.train.checkpoint import Checkpoint
from framecast.train.discriminator import AdversarialConfig, PatchDiscriminator, adaptive_weight, hinge_loss
from framecast.train.drafts import Drafts
from framecast.train.folding import FOLD, Fold, fold, to_floats, unfold
from framecast.train.models import Vae, make_vae
from framecast.train.muon import Muon
from framecast.train.own import OwnData
from framecast.train.parallel import Crew
from framecast.train.precision import mixed
from framecast.train.principal import GROUPS, Principal, principal, start
from framecast.train.progress import Journal
from framecast.train.stop import Stop
from framecast.train.world.render import Film, render
from framecast.train.world.scene import sample_scene


@dataclass(frozen=True)
class VaeConfig:
    """Architecture and recipe."""

    width: int = 192
    latent_channels: int = 80
    layers: int = 1
    patches: int = 400
    """Drawn moments, of 256 patches each, whose principal components are the start."""
    joint_steps: int = 0
    """Steps that train encoder and decoder; then the encoder stays, and what has been encoded stays valid. With none
    the encoder is the linear code, whose part of the bound is at its optimum, and a clip is encoded in milliseconds."""
    steps: int = 2000
    batch: int = 3
    drafted: float = 0.5
    """Share of the batch whose latents are the denoiser's, where there are drafts."""
    rate: float = 5e-4
    """Muon's, for the layers between."""
    first_rate: float = 5e-6
    last_rate: float = 1e-4
    """Adam's, for the two big convolutions: 27,648 inputs of the first move together, so its steps must be small."""
    beta: float = 1e-5
    """Weight of the KL per latent value."""
    edges: float = 1.0
    ema: float = 0.99
    seed: int = 11
    adversarial: AdversarialConfig = field(default_factory=AdversarialConfig)


def build(config: VaeConfig) -> Vae:
    """A fresh AutoencoderKL with random weights: one level, all of it on the grid of patches."""
    return make_vae(
        in_channels=FOLD.channels,
        out_channels=FOLD.channels,
        down_block_types=("DownEncoderBlock2D",),
        up_block_types=("UpDecoderBlock2D",),
        block_out_channels=(config.width,),
        layers_per_block=config.layers,
        latent_channels=config.latent_channels,
        norm_num_groups=GROUPS,
        sample_size=16,
        mid_block_add_attention=False,
    )


def linear_code(config: VaeConfig, directory: Path, data: OwnData | None = None) -> Principal:
    """The principal components of drawn patches, worked out once and kept in `directory/principal.safetensors`."""
    path = directory / "principal.safetensors"
    if not path.exists():
        rng = random.Random(f"patches {config.seed}")
        patches = torch.cat([draw_maps(rng, data) for _ in range(config.patches)]).movedim(1, -1).flatten(0, 2)
        code = principal(patches, config.latent_channels)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(asdict(code), path)
    return kept_code(directory)


def kept_code(directory: Path) -> Principal:
    """The code that latents are in, as `linear_code` has kept it. Raises FileNotFoundError."""
    path = directory / "principal.safetensors"
    if not path.exists():
        raise FileNotFoundError(f"no code of latents in {directory}: run `framecast train vae`, or `cache`, first")
    return Principal(**load_file(path))


def edges(frames: torch.Tensor) -> torch.Tensor:
    """Differences of neighbouring pixels [..., H, W], along both axes, flattened: seams between patches count too."""
    across = frames[..., :, 1:] - frames[..., :, :-1]
    down = frames[..., 1:, :] - frames[..., :-1, :]
    return torch.cat([across.flatten(), down.flatten()])


def moment(rng: random.Random) -> float:
    """Seconds from a scene's beginning to one of the first 36 latents."""
    return rng.randrange(36) * FOLD.frames / Film().fps


def draw_maps(rng: random.Random, data: OwnData | None = None) -> torch.Tensor:
    """Four frames of a random moment of the world, or of `data`, folded: [1, 3072, 16, 16]."""
    if data:
        frames = data.draw(rng, FOLD.frames)
    else:
        frames = render(sample_scene(rng), rng.randrange(2**31), FOLD.frames, start=moment(rng))
    return fold(to_floats(torch.from_numpy(frames)))


def _draw_batch(
    config: VaeConfig, rng: random.Random, drafts: Drafts | None, data: OwnData | None
) -> tuple[torch.Tensor, dict[int, torch.Tensor]]:
    """Folded pictures [N, 3072, 16, 16], and the latents [80, 16, 16] of those that were drafted."""
    maps, drafted = [], {}
    for index in range(config.batch):
        if drafts and rng.random() < config.drafted:
            drawn, draft = drafts.draw(rng)
            drafted[index] = draft[0]
        else:
            drawn = draw_maps(rng, data)
        maps.append(drawn)
    return torch.cat(maps), drafted


def reconstruction_loss(decoded: torch.Tensor, drawn: torch.Tensor, config: VaeConfig) -> torch.Tensor:
    """Squared and absolute error of frames [N, 3, H, W] and of their edges."""
    there, here = edges(decoded), edges(drawn)
    return (
        2 * F.mse_loss(decoded, drawn)
        + 0.2 * F.l1_loss(decoded, drawn)
        + config.edges * (F.mse_loss(there, here) + 0.2 * F.l1_loss(there, here))
    )


def train(
    config: VaeConfig,
    directory: Path,
    *,
    stop_at: int | None = None,
    crew: Crew | None = None,
    drafts: Drafts | None = None,
    data: OwnData | None = None,
) -> Vae:
    """Trains, resuming from `directory` when it holds a checkpoint; returns the averaged weights.

    With `drafts` part of each batch is decoded from what the denoiser made of it; with `data` its pictures are learnt.
    """
    crew = crew or Crew()
    torch.manual_seed(config.seed)
    vae, average = build(config), build(config)
    start(vae, linear_code(config, directory, data))
    vae = vae.to(memory_format=torch.channels_last)
    average.load_state_dict(vae.state_dict())
    critic = PatchDiscriminator(_CRITIC_FOLD.channels, config.adversarial.width)
    first, last = vae.encoder.conv_in.weight, vae.decoder.conv_out.weight
    inner = Muon([p for p in vae.parameters() if p is not first and p is not last], config.rate)
    outer = torch.optim.AdamW(
        [{"params": [first], "lr": config.first_rate}, {"params": [last], "lr": config.last_rate}],
        betas=(0.9, 0.98),
        weight_decay=0.0,
    )
    critic_optimizer = torch.optim.AdamW(critic.parameters(), lr=config.adversarial.rate, betas=(0.5, 0.9))
    rates = [group["lr"] for optimizer in (inner, outer) for group in optimizer.param_groups]
    keeper = Checkpoint(
        directory,
        {"vae": vae, "average": average, "critic": critic},
        {"inner": inner, "outer": outer, "critic": critic_optimizer},
    )
    begin, _ = keeper.load()
    end = min(config.steps, stop_at or config.steps)
    diary = Journal(directory, "vae", config.steps, begin=begin) if crew.leads else crew.silence()
    with Stop(crew) as stop, diary as journal:
        for step in range(begin, end):
            # Pictures and the posterior's noise depend on the step alone, so that a resumed run is the run.
            torch.manual_seed(config.seed * 1_000_003 + step * 64 + crew.rank)
            rng = random.Random(f"vae {config.seed} {step} {crew.rank}")
            drawings, drafted = _draw_batch(config, rng, drafts, data)
            maps = drawings.to(memory_format=torch.channels_last)
            for group, rate in zip((*inner.param_groups, *outer.param_groups), rates, strict=True):
                group["lr"] = rate * _share(config, step)
            with torch.set_grad_enabled(step < config.joint_steps):
                posterior = vae.encode(maps).latent_dist
            latents = posterior.sample()
            for index, draft in drafted.items():
                latents[index] = draft
            with mixed():
                decoded = unfold(vae.decode(latents).sample.float())
            drawn = unfold(maps)
            reconstruction = reconstruction_loss(decoded, drawn, config)
            kl = posterior.kl().mean() / posterior.mean[0].numel()
            loss = reconstruction + config.beta * kl
            numbers = {"loss": reconstruction.item(), "kl": kl.item()}
            speaking = config.adversarial.weight > 0 and step >= config.steps * config.adversarial.start
            if speaking:
                forged = -critic(fold(decoded, _CRITIC_FOLD)).mean()
                weight = adaptive_weight(reconstruction, forged, last, config.adversarial)
                # Fades in over the first two hundred steps: an untrained critic would only add noise.
                fade = min(1.0, (step - config.steps * config.adversarial.start) / 200)
                loss = loss + fade * weight * forged
                numbers["weight"] = weight.item()
            for optimizer in (inner, outer):
                optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            crew.average(list(vae.parameters()))
            torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
            for optimizer in (inner, outer):
                optimizer.step()
            if speaking:
                judged = hinge_loss(critic(fold(drawn, _CRITIC_FOLD)), critic(fold(decoded.detach(), _CRITIC_FOLD)))
                critic_optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(judged)
                crew.average(list(critic.parameters()))
                critic_optimizer.step()
                numbers["critic"] = judged.item()
            blend(average, vae, min(config.ema, (step + 1) / (step + 10)))
            if (step + 1) % 50 == 0 and crew.leads and data is None:  # what is measured is of the world
                numbers.update(measure(average, scenes=12))
            journal.log(step + 1, **numbers)
            last_step = stop.due() or step + 1 == end
            if crew.leads and (last_step or (step + 1) % 50 == 0):
                keeper.save(step + 1)
            if last_step:
                break
    return average


_CRITIC_FOLD = Fold(4, 2, 2)
"""The critic sees four frames at once at half the size."""


def _share(config: VaeConfig, step: int) -> float:
    """Of every rate: a warm-up of 50 steps, then a cosine to a twentieth."""
    warm = min(1.0, (step + 1) / 50)
    return warm * (0.05 + 0.95 * (1 + math.cos(math.pi * step / config.steps)) / 2)


@torch.no_grad()
def measure(vae: Vae, *, scenes: int = 240, seed: int = 99) -> dict[str, float]:
    """Mean PSNR in dB and SSIM (Wang et al. 2004) of held-out renders (unseen combinations and seeds).

    Scenes differ by several dB: means of 12, 24 and 120 of them were 0.4 and 0.6 dB apart (docs/log.md).
    """
    rng = random.Random(seed)
    psnr, ssim = [], []
    for _ in range(scenes):
        frames = render(sample_scene(rng, seen=False), rng.randrange(2**31), FOLD.frames, start=moment(rng))
        drawn = to_floats(torch.from_numpy(frames))
        decoded = unfold(vae.decode(vae.encode(fold(drawn)).latent_dist.mode()).sample).clamp(-1, 1)
        psnr.append(float(-10 * torch.log10(F.mse_loss(decoded, drawn) / 4)))
        alike: Any = structural_similarity_index_measure(decoded, drawn, data_range=2.0)
        ssim.append(float(alike))
    return {"psnr": sum(psnr) / scenes, "ssim": sum(ssim) / scenes}
