"""The text-to-video UNet and the text encoder, trained together: images first, then clips.

The network predicts the clean latents and is scored by the velocity they imply: pictures lie on a thin sheet of the
latent space and noise fills all of it, so a network narrower than a latent's channels can carry the one but not the
other (Li & He 2025, arXiv:2511.13720). Velocity: Salimans & Ho 2022 (arXiv:2202.00512); zero terminal SNR and
trailing timesteps: Lin et al. 2023 (arXiv:2305.08891); guidance by dropped captions: Ho & Salimans 2022
(arXiv:2207.12598); images before clips: Singer et al. 2022 (arXiv:2209.14792). A clip that goes on from earlier
latents gets them clean, as in Diffusion Forcing (Chen et al. 2024, arXiv:2407.01392), without extra channels.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from diffusers.models.resnet import TemporalConvLayer
from diffusers.models.transformers.transformer_temporal import TransformerTemporalModel
from torch import nn
from transformers import CLIPTokenizer

from framecast.train import text
from framecast.train.ahead import ahead
from framecast.train.average import blend
from framecast.train.checkpoint import Checkpoint
from framecast.train.latents import LatentCache
from framecast.train.measure import Measure
from framecast.train.models import Scheduler, Unet, make_scheduler, make_unet
from framecast.train.muon import Muon
from framecast.train.parallel import Crew
from framecast.train.precision import mixed
from framecast.train.progress import Journal
from framecast.train.quick import quicken
from framecast.train.stop import Stop

CLIP = 12
"""Latents of a whole clip: two seconds."""


@dataclass(frozen=True)
class DiffusionConfig:
    """Architecture and recipe."""

    blocks: tuple[int, int] = (64, 128)
    head_size: int = 4
    groups: int = 16
    text: text.TextConfig = field(default_factory=text.TextConfig)
    image_steps: int = 5000
    image_batch: int = 16
    clip_steps: int = 5000
    clip_batch: int = 3
    image_rate: float = 2e-3
    short: int = 4
    """Latents of the windows that clips are cut into at first: three times the scenes for the same work."""
    short_until: float = 0.4
    """Share of the clip steps that train on short windows; the rest sees whole clips."""
    clip_rate: float = 1.5e-3
    dropped: float = 0.1
    """Share of captions replaced by "" for classifier-free guidance."""
    served: int = 8
    """Steps of a schedule at whose times most of the training is; every second of them is served."""
    astray: float = 0.3
    """Share of the training at any time, so that other schedules work too."""
    context: int = 3
    """At most this many first latents of a continued clip are given clean."""
    attention: float = 4.0
    """How much more an error counts where a subject is: a sixth of the picture is all of the story."""
    scale: float = 0.3
    """The bundle's scaling factor. Neighbours and frames say the same thing many times over, so at deviation 1 the
    layout would show through all but the last of the noise, and a short schedule would settle it in one step."""
    finest: float = 0.6
    """Noise below which errors count no more. Where there is little, the best answer is nearly the input; what a scene
    shows is settled where there is much."""
    jump: float = 0.0
    """How much an error that jumps from one latent to the next counts beside the error itself, see `Measure.jumps`."""
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
    """A fresh UNet whose layers across time begin as the identity, so that images and clips agree."""
    unet = make_unet(
        sample_size=16,
        in_channels=channels,
        out_channels=channels,
        # Attention on the coarse level only: on the fine one it costs sixteen times as much.
        down_block_types=("DownBlock3D", "CrossAttnDownBlock3D"),
        up_block_types=("CrossAttnUpBlock3D", "UpBlock3D"),
        block_out_channels=config.blocks,
        layers_per_block=1,
        cross_attention_dim=config.text.hidden,
        attention_head_dim=config.head_size,
        norm_num_groups=config.groups,
    )
    for module in unet.modules():
        if isinstance(module, TransformerTemporalModel):
            nn.init.zeros_(module.proj_out.weight)
            nn.init.zeros_(module.proj_out.bias)
    for layer in unet.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return unet


@contextmanager
def stills(unet: Unet) -> Iterator[None]:
    """Leaves out the layers across time: while they are the identity, images need not pay for them."""
    skipped = [m for m in unet.modules() if isinstance(m, (TransformerTemporalModel, TemporalConvLayer))]
    for module in skipped:
        skip = _skip_attention if isinstance(module, TransformerTemporalModel) else _skip_convolution
        module.forward = skip  # type: ignore[method-assign]
    try:
        yield
    finally:
        for module in skipped:
            del module.forward


def _skip_attention(hidden_states: torch.Tensor, *_: Any, return_dict: bool = True, **__: Any) -> Any:
    return SimpleNamespace(sample=hidden_states) if return_dict else (hidden_states,)


def _skip_convolution(hidden_states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
    return hidden_states


@dataclass(frozen=True)
class Batch:
    """What a step sees.

    Attributes:
        latents: [B, C, F, h, w]; drawn in half precision, as they are kept, and used in single.
        cover: where the subjects are, 0..1, [B, 1, F, h, w].
        tokens: token ids [B, L].
        context: how many first latents of each are given clean, [B].
    """

    latents: torch.Tensor
    cover: torch.Tensor
    tokens: torch.Tensor
    context: torch.Tensor

    def to(self, device: torch.device) -> Batch:
        """On `device`, in single precision."""
        latents = self.latents.to(device).float()  # after the way there, which is half as long so
        return Batch(latents, *(t.to(device) for t in (self.cover, self.tokens, self.context)))


def draw_batch(
    cache: LatentCache,
    tokenizer: CLIPTokenizer,
    config: DiffusionConfig,
    size: int,
    rng: random.Random,
    *,
    window: int = CLIP,
    told: Mapping[int, str] | None = None,
) -> Batch:
    """Draws samples with fresh captions, cut to `window` latents; a window of one is an image, any moment of a clip.

    A clip that begins mid-scene always gets clean context, as it will when served; others get it rarely. With `told`
    only its samples are drawn, with its captions.
    """
    latents, covers, captions, context = [], [], [], []
    told_indices = list(told or ())
    for _ in range(size):
        index = rng.choice(told_indices) if told else rng.randrange(len(cache))
        sample = cache.samples[index]
        first = rng.choice((0, rng.randrange(CLIP - window + 1))) if window > 1 else rng.randrange(CLIP)
        clip, cover = cache.stored(index, slice(first, first + window))
        latents.append(clip.transpose(0, 1))
        covers.append(cover[None])
        caption = told[index] if told else sample.words(rng)
        captions.append("" if rng.random() < config.dropped else caption)
        most = min(config.context, window // 3)
        continuing = most > 0 and (sample.continued or first > 0 or rng.random() < 0.05)
        given = rng.randint(1, most) if continuing else 0
        context.append(given)
    return Batch(torch.stack(latents), torch.stack(covers), text.tokenize(tokenizer, captions), torch.tensor(context))


def draw_times(config: DiffusionConfig, size: int, count: int, generator: torch.Generator) -> torch.Tensor:
    """Times of a batch, int64 [size] in 0..count - 1: mostly those of `config.served` steps, each equally often."""
    # Stratified: each batch covers the whole range, which halves the loss's variance.
    where = generator.device
    order = torch.randperm(size, generator=generator, device=where)
    shares = (order + torch.rand(size, generator=generator, device=where)) / size
    steps = torch.ceil(shares * config.served) / config.served
    free = torch.rand(size, generator=generator, device=where) < config.astray
    times: torch.Tensor = (torch.where(free, shares, steps) * count).long().clamp(1, count) - 1
    return times


def velocity_loss(
    unet: Unet,
    encoder: nn.Module,
    batch: Batch,
    alphas: torch.Tensor,
    measure: Measure,
    config: DiffusionConfig,
    generator: torch.Generator,
) -> torch.Tensor:
    """Weighted squared error of the implied velocity at a random time, over the latents that are not given.

    `alphas` is the scheduler's cumulative product, float32 [1000]; everything is on one device. Weights do not move the
    optimum, which is a mean at each place; they only say what is learnt first.

    Raises:
        ValueError: the batch is in half precision, as it was drawn; `Batch.to` makes it single.
    """
    if batch.latents.dtype is not torch.float32:
        raise ValueError(f"batch.latents are {batch.latents.dtype}; call batch.to(device) first")
    clean = batch.latents * config.scale
    size, frames, device = clean.shape[0], clean.shape[2], clean.device
    noise = torch.randn(clean.shape, generator=generator, device=device)
    times = draw_times(config, size, len(alphas), generator)
    keep, drop = (f(alphas[times]).view(-1, 1, 1, 1, 1) for f in (torch.sqrt, lambda a: torch.sqrt(1 - a)))
    noisy = keep * clean + drop * noise
    given = (torch.arange(frames, device=device)[None] < batch.context[:, None]).view(size, 1, frames, 1, 1)
    noisy = torch.where(given, clean, noisy)
    with mixed(device.type):
        states = encoder(input_ids=batch.tokens).last_hidden_state
        out = unet(noisy, times, encoder_hidden_states=states).sample.float()
    # v = (α·x_t - x) / σ: an error of x is 1/σ times one of v. What is given has none.
    errors = torch.where(given, 0.0, (out - clean) / config.scale / drop.clamp(min=config.finest))
    counts = 1 + config.attention * batch.cover
    loss = _mean(measure.squares(errors), ~given * counts)
    if config.jump and frames > 1:
        pairs = torch.maximum(counts[:, :, 1:], counts[:, :, :-1])
        loss = loss + config.jump * _mean(measure.jumps(errors), ~given[:, :, 1:] * pairs)
    return loss


def _mean(values: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    return (values * counts).sum() / counts.sum()


def train(
    config: DiffusionConfig,
    cache: LatentCache,
    tokenizer: CLIPTokenizer,
    measure: Measure,
    directory: Path,
    *,
    stop_at: int | None = None,
    crew: Crew | None = None,
    device: str = "cpu",
    told: Mapping[int, str] | None = None,
    begin_with: Mapping[str, nn.Module] | None = None,
) -> dict[str, Any]:
    """Trains UNet and text encoder; step i is always the same batch, so a resumed run is the run.

    Args:
        config: the recipe.
        cache: the clips.
        tokenizer: the text encoder's.
        measure: how much an error counts.
        directory: checkpoints and curve.
        stop_at: leave after this step.
        crew: the workers that share each batch; alone when not given.
        device: of torch.
        told: captions by the sample's index in the cache; without them every draw words its scene anew.
        begin_with: "unet" and "text_encoder" whose weights are the start; random ones without.

    Returns:
        Averaged weights: {"unet": …, "text_encoder": …}.
    """
    crew = crew or Crew()
    torch.manual_seed(config.seed)
    place, measure, channels = torch.device(device), measure.to(torch.device(device)), len(measure.weights)
    models: dict[str, Any] = {"unet": build(config, channels), "text_encoder": text.build(config.text, tokenizer)}
    averages: dict[str, Any] = {"unet": build(config, channels), "text_encoder": text.build(config.text, tokenizer)}
    for name, model in models.items():
        if begin_with:
            model.load_state_dict(begin_with[name].state_dict())
        averages[name].load_state_dict(model.state_dict())
        averages[name].to(place)
        model.to(place).train()
    unet, encoder = models["unet"], models["text_encoder"]
    quicken(unet)
    parameters = [p for m in models.values() for p in m.parameters()]
    tables: list[Any] = [m.weight for m in encoder.modules() if isinstance(m, nn.Embedding)]
    optimizer = Muon(parameters, config.image_rate, plain=tables, plain_rate=0.5)
    keeper = Checkpoint(directory, {**models, **{f"average_{k}": v for k, v in averages.items()}}, {"adam": optimizer})
    begin, _ = keeper.load()
    total = config.image_steps + config.clip_steps
    end = min(total, stop_at or total)
    alphas = scheduler().alphas_cumprod.to(place)

    def draw(step: int) -> tuple[Batch, int]:
        if step % 100 == 0:
            cache.refresh()
        rng = random.Random(f"diffusion {config.seed} {step} {crew.rank}")
        seed = rng.randrange(2**31)
        short = step < config.image_steps + config.clip_steps * config.short_until
        window = 1 if step < config.image_steps else config.short if short else CLIP
        size = config.image_batch if step < config.image_steps else config.clip_batch * CLIP // window
        return draw_batch(cache, tokenizer, config, size, rng, window=window, told=told), seed

    batches = ahead(draw, begin, end)
    diary = Journal(directory, "unet", total, begin=begin) if crew.leads else crew.silence()
    with Stop(crew) as stop, diary as journal:
        for step, (batch, seed) in zip(range(begin, end), batches, strict=True):
            imaging = step < config.image_steps
            generator = torch.Generator(place).manual_seed(seed)
            for group in optimizer.param_groups:
                group["lr"] = rate_at(config, step)
            optimizer.zero_grad(set_to_none=True)
            with stills(unet) if imaging else nullcontext():
                loss = velocity_loss(unet, encoder, batch.to(place), alphas, measure, config, generator)
                torch.autograd.backward(loss)
            crew.average(parameters)
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            keep = min(config.ema, (step + 1) / (step + 10))
            for name, model in models.items():
                blend(averages[name], model, keep)
            journal.log(step + 1, **{"image" if imaging else "clip": loss.item()})
            last = stop.due() or step + 1 == end
            if crew.leads and (last or (step + 1) % 100 == 0):
                keeper.save(step + 1)
            if last:
                break
    return averages


def rate_at(config: DiffusionConfig, step: int) -> float:
    """Each phase warms up over 100 steps; images stay high, clips fall along a cosine to a twentieth."""
    if step < config.image_steps:
        return config.image_rate * min(1.0, (step + 1) / 100)
    share = (step - config.image_steps) / max(1, config.clip_steps)
    warm = min(1.0, (step - config.image_steps + 1) / 100)
    return config.clip_rate * warm * (0.05 + 0.95 * (1 + math.cos(math.pi * share)) / 2)
