"""What the denoiser makes of clips whose pictures are known, so that the decoder learns to draw from its hand too.

A decoder trained on encoded pictures alone takes the grain of sampled latents for detail, and draws it. Here clips of
the cache get the noise of a late served step and the sampler takes it off again, with the served schedule and guidance:
what comes out shows the clip, drawn as when serving. A decoder that takes over the end of denoising: HaCohen et al.
2024 (arXiv:2501.00103).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import CLIPTokenizer

from framecast.train import diffusion, text
from framecast.train.folding import FOLD, fold, to_floats
from framecast.train.latents import LatentCache, Sample, rows
from framecast.train.lines import finished
from framecast.train.models import TextEncoder, Unet
from framecast.train.parallel import Crew
from framecast.train.progress import Journal
from framecast.train.world.render import Film


@dataclass(frozen=True)
class DraftConfig:
    """What is sampled.

    Attributes:
        clips: how many of the cache's clips.
        steps, guidance_scale: as served.
        context: first latents that are kept clean where a clip goes on with its scene, as served.
        last: the sampler goes on from the noise of one of the last so many steps, but the very last and the very first.

    Raises:
        ValueError: there are not so many.
    """

    clips: int = 300
    steps: int = 4
    guidance_scale: float = 2.0
    context: int = 3
    last: int = 3
    seed: int = 71

    def __post_init__(self) -> None:
        if not 2 <= self.last < self.steps:
            raise ValueError(f"last is {self.last}; of {self.steps} steps it may be 2 to {self.steps - 1}")


@torch.inference_mode()
def sample(
    unet: Unet,
    encoder: TextEncoder,
    tokenizer: CLIPTokenizer,
    clean: torch.Tensor,
    caption: str,
    config: DraftConfig,
    *,
    begin: int,
    given: int,
    generator: torch.Generator,
) -> torch.Tensor:
    """Noises `clean` to the served step `begin`, and samples from there.

    Args:
        clean: latents at the level of diffusion, float32 [C, F, h, w].
        given: how many first latents are kept clean, as when a scene goes on. The join that serving makes after the
            last step is left out: the decoder learns from errors as they are.

    Returns:
        float32 [C, F, h, w], at the same level.
    """
    scheduler = diffusion.scheduler()
    scheduler.set_timesteps(config.steps)
    tokens = text.tokenize(tokenizer, ["", caption])
    states = encoder(input_ids=tokens).last_hidden_state
    times = scheduler.timesteps[begin:]
    noise = torch.randn(clean.shape, generator=generator)
    latents = scheduler.add_noise(clean[None], noise[None], times[:1])
    for time in times:
        latents[:, :, :given] = clean[None, :, :given]
        without, told = unet(latents.repeat(2, 1, 1, 1, 1), time, encoder_hidden_states=states).sample.chunk(2)
        guided = without + config.guidance_scale * (told - without)
        latents = scheduler.step(guided, time, latents).prev_sample
    latents[:, :, :given] = clean[None, :, :given]
    drafted: torch.Tensor = latents[0]
    return drafted


def build(
    config: DraftConfig,
    cache: LatentCache,
    models: tuple[Unet, TextEncoder, CLIPTokenizer],
    scale: float,
    directory: Path,
    *,
    crew: Crew,
) -> int:
    """Writes this worker's part, `drafts-r.npy` fp16 [clips, F, C, h, w] and a line a clip in `drafts-r.jsonl`; goes on
    where an earlier run stopped. Returns how many clips the part has.
    """
    directory.mkdir(parents=True, exist_ok=True)
    unet, encoder, tokenizer = models
    count = min(config.clips, len(cache))
    mine = range(crew.rank, count, crew.size)
    lines = directory / f"drafts-{crew.rank}.jsonl"
    done = len(finished(lines, mend=True))
    shape = (max(done, len(mine)), *cache.clip(0)[0].shape)
    kept = rows(directory / f"drafts-{crew.rank}.npy", np.float16, shape, done)
    journal = Journal(directory, "drafts", len(mine), begin=done) if crew.leads else crew.silence()
    with lines.open("a", encoding="utf-8") as out, journal as log:
        for row in range(done, len(mine)):
            rng = random.Random(f"draft {config.seed} {mine[row]}")
            entry = cache.samples[mine[row]]
            clean = cache.clip(mine[row])[0].transpose(0, 1) * scale
            drafted = sample(
                unet,
                encoder,
                tokenizer,
                clean,
                entry.spoken,
                config,
                begin=config.steps - rng.randint(2, config.last),
                given=config.context if entry.continued else 0,
                generator=torch.Generator().manual_seed(rng.randrange(2**31)),
            )
            kept[row] = (drafted / scale).transpose(0, 1).numpy().astype(np.float16)
            out.write(entry.to_line())
            out.flush()
            log.log(row + 1, error=float((drafted - clean).square().mean() / scale**2))
    kept.flush()
    return len(mine)


class Drafts:
    """Reads what `build` wrote, every worker's part.

    Raises:
        FileNotFoundError: nothing has been drafted in `directory`.
    """

    def __init__(self, directory: Path) -> None:
        parts = sorted(directory.glob("drafts-*.jsonl"))
        if not parts:
            raise FileNotFoundError(f"no drafts in {directory}: run `framecast train drafts` first")
        self._latents = [np.load(part.with_suffix(".npy"), mmap_mode="r") for part in parts]
        self._samples: list[tuple[int, int, Sample]] = []
        for index, part in enumerate(parts):
            for row, line in enumerate(finished(part)):
                self._samples.append((index, row, Sample.from_line(line)))

    def __len__(self) -> int:
        return len(self._samples)

    def draw(self, rng: random.Random) -> tuple[torch.Tensor, torch.Tensor]:
        """A moment: its pictures, folded, [1, 3072, h, w] in -1..1, and its drafted latents [1, C, h, w]."""
        part, row, entry = rng.choice(self._samples)
        moment = rng.randrange(self._latents[part].shape[1])
        frames = entry.frames(moment * FOLD.frames / Film().fps, FOLD.frames)
        latents = torch.from_numpy(self._latents[part][row, moment].astype(np.float32))
        return fold(to_floats(torch.from_numpy(frames))), latents[None]
