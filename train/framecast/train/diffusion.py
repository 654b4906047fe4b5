"""The text-to-video UNet and the text encoder, trained together: single moments first, then several, then whole clips.

The network predicts the clean latents and is scored by the velocity they imply: pictures lie on a thin sheet of the
latent space and noise fills all of it, so a network narrower than a latent's channels can carry the one but not the
other (Li & He 2025, arXiv:2511.13720). Velocity: Salimans & Ho 2022 (arXiv:2202.00512); zero terminal SNR and
trailing timesteps: Lin et al. 2023 (arXiv:2305.08891); guidance by dropped captions: Ho & Salimans 2022
(arXiv:2207.12598); images before clips: Singer et al. 2022 (arXiv:2209.14792). A clip that goes on from earlier
latents gets them clean, as in Diffusion Forcing (Chen et al. 2024, arXiv:2407.01392), without extra channels.

The UNet is AnimateDiff's (Guo et al. 2023, arXiv:2307.04725): its layers across time know which latent is which. Before
whole clips it is shown a few moments of each, in their true positions: three times the scenes for the same work.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers.models.embeddings import SinusoidalPositionalEmbedding
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D
from torch import nn
from transformers import CLIPTokenizer

from framecast.train import text
from framecast.train.captions import training_caption
from framecast.train.checkpoint import Checkpoint
from framecast.train.latents import LatentCache
from framecast.train.models import Scheduler, Unet, make_scheduler, make_unet
from framecast.train.muon import Muon
from framecast.train.parallel import Crew
from framecast.train.precision import mixed
from framecast.train.progress import Journal
from framecast.train.quick import quicken

CLIP = 12
"""Latents of a whole clip: two seconds."""


@dataclass(frozen=True)
class DiffusionConfig:
    """Architecture and recipe."""

    blocks: tuple[int, int] = (64, 128)
    heads: int = 4
    groups: int = 16
    text: text.TextConfig = field(default_factory=text.TextConfig)
    image_steps: int = 5000
    clip_steps: int = 5000
    batch: int = 36
    """Latents of a step, counted over all its clips."""
    image_rate: float = 2e-3
    short: int = 4
    """Moments that a clip is seen at before it is seen whole."""
    short_until: float = 0.75
    """Share of the clip steps that see such moments; the rest sees whole clips."""
    clip_rate: float = 1.5e-3
    dropped: float = 0.1
    """Share of captions replaced by "" for classifier-free guidance."""
    selfish: float = 2.5
    """Scale of the identity that queries and keys across time begin as."""
    context: int = 3
    """How many first latents of a continued clip are given clean."""
    continuing: float = 0.25
    """Share of the clip steps that continue a scene."""
    served: int = 4
    """Steps of the schedule that is served: most of the training is at its times."""
    astray: float = 0.3
    """Share of the training at any time, so that other schedules work too."""
    attention: float = 4.0
    """How much more an error counts where a subject is: a sixth of the picture is all of the story."""
    scale: float = 0.3
    """The bundle's scaling factor. Neighbours and frames say the same thing many times over, so at deviation 1 the
    layout would show through all but the last of the noise, and a short schedule would settle it in one step."""
    finest: float = 0.6
    """Noise below which errors count no more. Where there is little, the best answer is nearly the input; what a scene
    shows is settled where there is much."""
    ema: float = 0.99
    seed: int = 41


def scheduler() -> Scheduler:
    """The scheduler that trains, samples and ships with the bundle."""
    return make_scheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="sample",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
    )


def build(config: DiffusionConfig, channels: int) -> Unet:
    """A fresh UNet whose layers across time begin as the identity: space is learnt before time."""
    unet = make_unet(
        sample_size=16,
        in_channels=channels,
        out_channels=channels,
        # Attention on the coarse level only: on the fine one it costs sixteen times as much.
        down_block_types=("DownBlockMotion", "CrossAttnDownBlockMotion"),
        up_block_types=("CrossAttnUpBlockMotion", "UpBlockMotion"),
        block_out_channels=config.blocks,
        layers_per_block=1,
        cross_attention_dim=config.text.hidden,
        num_attention_heads=config.heads,
        motion_num_attention_heads=config.heads,
        motion_max_seq_length=32,
        norm_num_groups=config.groups,
        use_linear_projection=True,
    )
    for module in unet.modules():
        if isinstance(module, AnimateDiffTransformer3D):
            nn.init.zeros_(module.proj_out.weight)
            nn.init.zeros_(module.proj_out.bias)
            # Every latent begins by attending to itself, most of all in the heads of the quick sines: from a random
            # start all attend to all alike, and none finds out where in the clip it is.
            blocks: Any = module.transformer_blocks
            for block in blocks:
                for projection in (block.attn1.to_q, block.attn1.to_k):
                    projection.weight.data = config.selfish * torch.eye(len(projection.weight))
    return unet


@contextmanager
def glimpses(unet: Unet, moments: Sequence[int]) -> Iterator[None]:
    """The latents that the UNet is given are those of `moments`, whatever their number: each keeps its position."""
    tables: list[Any] = [module for module in unet.modules() if isinstance(module, SinusoidalPositionalEmbedding)]
    for table in tables:
        table.forward = table.pe[:, list(moments)].__add__
    try:
        yield
    finally:
        for table in tables:
            del table.forward


@dataclass(frozen=True)
class Batch:
    """What a step sees.

    Attributes:
        latents: [B, C, F, h, w].
        cover: where the subjects are, 0..1, [B, 1, F, h, w].
        tokens: token ids [B, L].
        moments: which latents of a clip the F are, in order.
        given: how many first latents are given clean.
    """

    latents: torch.Tensor
    cover: torch.Tensor
    tokens: torch.Tensor
    moments: tuple[int, ...]
    given: int


def draw_batch(
    cache: LatentCache,
    tokenizer: CLIPTokenizer,
    config: DiffusionConfig,
    seen: int,
    rng: random.Random,
    *,
    told: Mapping[int, str] | None = None,
) -> Batch:
    """Draws clips with fresh captions at `seen` moments, the same ones for all: beginnings, or scenes that go on.

    A clip that begins mid-scene always gets clean context, as it will when served. With `told` only its samples are
    drawn, with its captions.
    """
    continuing = seen > 1 and rng.random() < config.continuing
    indices = [i for i in (told or range(len(cache))) if cache.samples[i].continued == continuing]
    if not indices:
        continuing, indices = not continuing, list(told or range(len(cache)))
    given = config.context if continuing else 0
    later = rng.sample(range(given, CLIP), min(seen, CLIP - given))
    moments = (*range(given), *sorted(later))
    latents, covers, captions = [], [], []
    for _ in range(max(1, config.batch // len(moments))):
        index = rng.choice(indices)
        clip, cover = cache.clip(index, moments)
        latents.append(clip.transpose(0, 1))
        covers.append(cover[None])
        caption = told[index] if told else training_caption(cache.samples[index].scene, rng)
        captions.append("" if rng.random() < config.dropped else caption)
    return Batch(torch.stack(latents), torch.stack(covers), text.tokenize(tokenizer, captions), moments, given)


def draw_times(config: DiffusionConfig, size: int, generator: torch.Generator) -> torch.Tensor:
    """Times of a batch, int64 [size] in 0..999: mostly those of the served schedule, each equally often."""
    count = scheduler().config.num_train_timesteps
    # Stratified: each batch covers the whole range, which halves the loss's variance.
    shares = (torch.randperm(size, generator=generator) + torch.rand(size, generator=generator)) / size
    steps = torch.ceil(shares * config.served) / config.served
    free = torch.rand(size, generator=generator) < config.astray
    times: torch.Tensor = (torch.where(free, shares, steps) * count).long().clamp(1, count) - 1
    return times


def velocity_loss(
    unet: Unet,
    encoder: nn.Module,
    batch: Batch,
    alphas: torch.Tensor,
    weights: torch.Tensor,
    config: DiffusionConfig,
    generator: torch.Generator,
) -> torch.Tensor:
    """Weighted squared error of the implied velocity at a random time, over the latents that are not given.

    `alphas` is the scheduler's cumulative product, float32 [1000]; `weights` says how much a channel counts, [C].
    Weights do not move the optimum, which is a mean at each place; they only say what is learnt first.
    """
    clean = batch.latents * config.scale
    size, frames = clean.shape[0], clean.shape[2]
    noise = torch.randn(clean.shape, generator=generator)
    times = draw_times(config, size, generator)
    keep, drop = (f(alphas[times]).view(-1, 1, 1, 1, 1) for f in (torch.sqrt, lambda a: torch.sqrt(1 - a)))
    noisy = keep * clean + drop * noise
    noisy[:, :, : batch.given] = clean[:, :, : batch.given]
    with mixed(), glimpses(unet, batch.moments):
        states = encoder(input_ids=batch.tokens).last_hidden_state
        out = unet(noisy, times, encoder_hidden_states=states.repeat_interleave(frames, dim=0)).sample.float()
    # v = (α·x_t - x) / σ: an error of x is 1/σ times one of v.
    errors = ((out - clean) / config.scale / drop.clamp(min=config.finest)) ** 2 * weights.view(1, -1, 1, 1, 1)
    errors = errors[:, :, batch.given :]
    count = 1 + config.attention * batch.cover[:, :, batch.given :]
    loss: torch.Tensor = (errors * count).sum() / count.expand_as(errors).sum()
    return loss


def train(
    config: DiffusionConfig,
    cache: LatentCache,
    tokenizer: CLIPTokenizer,
    weights: torch.Tensor,
    directory: Path,
    *,
    stop_at: int | None = None,
    crew: Crew | None = None,
    told: Mapping[int, str] | None = None,
    begin_with: Mapping[str, nn.Module] | None = None,
) -> dict[str, Any]:
    """Trains UNet and text encoder; step i is always the same batch, so a resumed run is the run.

    Args:
        config: the recipe.
        cache: the clips.
        tokenizer: the text encoder's.
        weights: how much each latent channel counts, [C], mean 1.
        directory: checkpoints and curve.
        stop_at: leave after this step.
        crew: the workers that share each batch; alone when not given.
        told: captions by the sample's index in the cache; without them every draw words its scene anew.
        begin_with: "unet" and "text_encoder" whose weights are the start; random ones without.

    Returns:
        Averaged weights: {"unet": …, "text_encoder": …}.
    """
    crew = crew or Crew()
    torch.manual_seed(config.seed)
    channels = len(weights)
    models: dict[str, Any] = {"unet": build(config, channels), "text_encoder": text.build(config.text, tokenizer)}
    averages: dict[str, Any] = {"unet": build(config, channels), "text_encoder": text.build(config.text, tokenizer)}
    for name, model in models.items():
        if begin_with:
            model.load_state_dict(begin_with[name].state_dict())
        averages[name].load_state_dict(model.state_dict())
        model.train()
    unet, encoder = models["unet"], models["text_encoder"]
    quicken(unet)
    parameters = [p for m in models.values() for p in m.parameters()]
    tables: list[Any] = [m.weight for m in encoder.modules() if isinstance(m, nn.Embedding)]
    optimizer = Muon(parameters, config.image_rate, plain=tables, plain_rate=0.5)
    keeper = Checkpoint(directory, {**models, **{f"average_{k}": v for k, v in averages.items()}}, {"adam": optimizer})
    begin, _ = keeper.load()
    total = config.image_steps + config.clip_steps
    end = min(total, stop_at or total)
    alphas = scheduler().alphas_cumprod
    with Journal(directory, "unet", total, begin=begin) if crew.leads else crew.silence() as journal:
        for step in range(begin, end):
            imaging = step < config.image_steps
            if step % 100 == 0:
                cache.refresh()
            rng = random.Random(f"diffusion {config.seed} {step} {crew.rank}")
            generator = torch.Generator().manual_seed(rng.randrange(2**31))
            short = step < config.image_steps + config.clip_steps * config.short_until
            seen = 1 if imaging else config.short if short else CLIP
            batch = draw_batch(cache, tokenizer, config, seen, rng, told=told)
            for group in optimizer.param_groups:
                group["lr"] = rate_at(config, step)
            optimizer.zero_grad(set_to_none=True)
            loss = velocity_loss(unet, encoder, batch, alphas, weights, config, generator)
            torch.autograd.backward(loss)
            crew.average(parameters)
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            keep = min(config.ema, (step + 1) / (step + 10))
            for name, model in models.items():
                blend(averages[name], model, keep)
            journal.log(step + 1, **{"image" if imaging else "clip": loss.item()})
            if crew.leads and ((step + 1) % 100 == 0 or step + 1 == end):
                keeper.save(step + 1)
    return averages


def rate_at(config: DiffusionConfig, step: int) -> float:
    """Each phase warms up over 100 steps; images stay high, clips fall along a cosine to a twentieth."""
    if step < config.image_steps:
        return config.image_rate * min(1.0, (step + 1) / 100)
    share = (step - config.image_steps) / max(1, config.clip_steps)
    warm = min(1.0, (step - config.image_steps + 1) / 100)
    return config.clip_rate * warm * (0.05 + 0.95 * (1 + math.cos(math.pi * share)) / 2)


@torch.no_grad()
def blend(average: nn.Module, model: nn.Module, keep: float) -> None:
    """Exponential moving average of the weights, in place."""
    for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
        slow.lerp_(fast, 1.0 - keep)
