"""End-to-end fine-tuning: text encoder and UNet learn from what the planner really writes of a story.

Until here the two have seen captions that are true of their clips. When serving, the planner writes the caption, in the
wording it has learnt and with the mistakes it makes. So each clip's scene is told as a story in free words, in either
language, the planner plans that story, and the clip is trained with the planner's words for it.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import CLIPTokenizer, PreTrainedTokenizerFast

from framecast.director.camera import BY_PROMPT, prompt_for
from framecast.planner.storyboard import Scene as Planned
from framecast.train import diffusion, planner
from framecast.train.diffusion import CLIP, DiffusionConfig
from framecast.train.latents import LatentCache, Sample
from framecast.train.measure import Measure
from framecast.train.models import Planner
from framecast.train.parallel import Crew
from framecast.train.progress import Journal
from framecast.train.stories import tell
from framecast.train.world.scene import Scene


@dataclass(frozen=True)
class TuneConfig:
    """The recipe."""

    stories: int = 1200
    """Clips whose scenes are told and planned, by all workers together."""
    held: int = 48
    """Of the leader's, kept out of training for the figures before and after."""
    steps: int = 300
    rate: float = 3e-4
    batch: int = 32
    """Stories planned at once."""
    seed: int = 61


def planned_captions(
    model: Planner,
    tokenizer: PreTrainedTokenizerFast,
    cache: LatentCache,
    config: TuneConfig,
    directory: Path,
    crew: Crew,
) -> dict[int, str]:
    """What the planner writes for the scenes of this worker's share of the cache's first samples: index → caption.

    Answers that are no storyboard are left out: the grammar keeps them away when serving.
    """
    rng = random.Random(f"told {config.seed} {crew.rank}")
    captions: dict[int, str] = {}
    mine = range(crew.rank, min(config.stories, len(cache)), crew.size)
    with Journal(directory, "planned captions", len(mine)) if crew.leads else crew.silence() as journal:
        for begin in range(0, len(mine), config.batch):
            indices = mine[begin : begin + config.batch]
            stories = [tell(_scene(cache.samples[i]), rng, rng.choice(("en", "zh"))) for i in indices]
            for index, answer in zip(indices, planner.plan(model, tokenizer, stories), strict=True):
                if caption := first_caption(answer):
                    captions[index] = caption
            journal.log(begin + len(indices))
    return captions


def _scene(sample: Sample) -> Scene:
    if sample.scene is None:
        raise ValueError("tuning tells scenes of the world, and this cache is of your own clips: leave `tune` out")
    return sample.scene


def first_caption(storyboard: str) -> str:
    """The first scene's prompt with its camera, as serving encodes it; "" when the text is no storyboard."""
    try:
        scene = json.loads(storyboard)["scenes"][0]
        prompt, camera = str(scene["prompt"]), str(scene["camera"])
    except (ValueError, KeyError, IndexError, TypeError):
        return ""
    return prompt_for(Planned(prompt, camera=camera), BY_PROMPT)


@torch.inference_mode()
def held_out_loss(
    models: dict[str, nn.Module],
    cache: LatentCache,
    tokenizer: CLIPTokenizer,
    held: dict[int, str],
    measure: Measure,
    config: DiffusionConfig,
) -> float:
    """Mean velocity loss on whole clips with the planner's captions; noise and times are the same at every call."""
    rng, generator = random.Random("held"), torch.Generator().manual_seed(0)
    alphas = diffusion.scheduler().alphas_cumprod
    # Where its noise is the same whatever the models were trained on.
    unet, encoder = (models[name].cpu() for name in ("unet", "text_encoder"))
    losses = []
    for _ in range(max(1, len(held) // 4)):
        drawn = diffusion.draw_batch(cache, tokenizer, replace(config, dropped=0.0), 4, rng, window=CLIP, told=held)
        batch = drawn.to(torch.device("cpu"))
        losses.append(diffusion.velocity_loss(unet, encoder, batch, alphas, measure, config, generator).item())
    return sum(losses) / len(losses)


def train(
    config: TuneConfig,
    recipe: DiffusionConfig,
    begin_with: dict[str, nn.Module],
    cache: LatentCache,
    tokenizers: tuple[CLIPTokenizer, PreTrainedTokenizerFast],
    model: Planner,
    measure: Measure,
    directory: Path,
    *,
    crew: Crew | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    """Fine-tunes; resumes from `directory`. Writes the losses before and after to `directory/tune.json`.

    Args:
        config, recipe: this recipe and the one of the models it goes on from.
        begin_with: trained "unet" and "text_encoder".
        cache: the clips.
        tokenizers: the text encoder's and the planner's.
        model: the planner, which stays as it is.
        measure: how much an error counts.
        directory: checkpoints, curve and figures.
        crew: the workers that share each batch.
        device: of torch.

    Returns:
        Averaged weights: {"unet": …, "text_encoder": …}.

    Raises:
        ValueError: the planner wrote too few captions to train on.
    """
    crew = crew or Crew()
    text_tokenizer, story_tokenizer = tokenizers
    kept = directory / f"captions-{crew.rank}.json"
    if not kept.exists():
        captions = planned_captions(model, story_tokenizer, cache, config, directory / f"captions-{crew.rank}", crew)
        lines = {index: [cache.samples[index].to_line(), caption] for index, caption in captions.items()}
        kept.write_text(json.dumps(lines), encoding="utf-8")
    known = json.loads(kept.read_text(encoding="utf-8")).items()
    # A cache that has grown since may number its clips otherwise: a caption is of the clip that it was written for.
    told = {int(index): caption for index, (line, caption) in known if cache.samples[int(index)].to_line() == line}
    held = {index: told.pop(index) for index in list(told)[: config.held]} if crew.leads else {}
    if not told:
        kept.unlink()  # the next try may ask for more
        raise ValueError(
            f"{len(held)} stories were planned in words, and the first {config.held} are kept for the figures: give"
            " more --stories, or train the planner first"
        )
    tuned = diffusion.train(
        replace(recipe, image_steps=0, clip_steps=config.steps, clip_rate=config.rate, short_until=0.0),
        cache,
        text_tokenizer,
        measure,
        directory,
        crew=crew,
        device=device,
        told=told,
        begin_with=begin_with,
    )
    if crew.leads:
        figures = {
            "stories": (len(told) + len(held)) * crew.size,
            "before": held_out_loss(begin_with, cache, text_tokenizer, held, measure, recipe),
            "after": held_out_loss(tuned, cache, text_tokenizer, held, measure, recipe),
        }
        (directory / "tune.json").write_text(json.dumps(figures) + "\n", encoding="utf-8")
    return tuned
