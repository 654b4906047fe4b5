"""A judge that names what a clip shows; trained on renders alone, it scores what the models generate.

Eight frames of two seconds, at 64 × 64, go through one small convolutional network; what changes between them says the
action. Its last features also serve as the space of a Fréchet distance between clips.
"""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from numpy.lib import format as npy
from safetensors.torch import load_file, save_file
from torch import nn

from framecast.train.checkpoint import Checkpoint
from framecast.train.precision import mixed
from framecast.train.progress import Journal
from framecast.train.stop import Stop
from framecast.train.world.circumstances import LIGHTS, WEATHERS
from framecast.train.world.render import Film, render
from framecast.train.world.scene import Scene, sample_scene
from framecast.train.world.vocabulary import ACTIONS, COLOURS, PLACES, SUBJECTS

FRAMES, SIDE, SECONDS = 8, 64, 2
QUESTIONS: dict[str, tuple[str, ...]] = {
    "subject": tuple(SUBJECTS),
    "colour": tuple(COLOURS),
    "place": tuple(PLACES),
    "action": tuple(ACTIONS),
    "light": tuple(LIGHTS),
    "weather": tuple(WEATHERS),
}


@dataclass(frozen=True)
class JudgeConfig:
    """Architecture and recipe."""

    width: int = 24
    features: int = 256
    clips: int = 8000
    """Rendered once; every epoch sees them shifted, dimmed and blurred anew."""
    steps: int = 2500
    batch: int = 32
    rate: float = 1.5e-3
    seed: int = 51


class Judge(nn.Module):
    """float [B, 8, 3, 64, 64] in -1..1 → one row of logits a question, and features [B, features]."""

    def __init__(self, config: JudgeConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        into = 3
        for scale in (1, 2, 4, 4):
            out = config.width * scale
            layers += [nn.Conv2d(into, out, 3, 2, 1), nn.GroupNorm(8, out), nn.SiLU()]
            layers += [nn.Conv2d(out, out, 3, 1, 1), nn.GroupNorm(8, out), nn.SiLU()]
            into = out
        self.look = nn.Sequential(*layers, nn.Flatten(), nn.Linear(into * 16, config.features), nn.SiLU())
        self.follow = nn.Sequential(nn.Linear(config.features * FRAMES, config.features), nn.SiLU())
        self.answers = nn.ModuleDict({name: nn.Linear(2 * config.features, len(q)) for name, q in QUESTIONS.items()})

    def forward(self, clips: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Logits by question, and the features they were read from."""
        seen = self.look(clips.flatten(0, 1)).view(len(clips), FRAMES, -1)
        features = torch.cat([seen.mean(dim=1), self.follow(seen.flatten(1))], dim=1)
        return {name: answer(features) for name, answer in self.answers.items()}, features


def shrink(frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The frames a judge looks at: uint8 [T, H, W, 3] of two seconds → [8, 64, 64, 3], averaged over areas.

    Raises:
        ValueError: fewer than eight frames.
    """
    if len(frames) < FRAMES:
        raise ValueError(f"a judge needs {FRAMES} frames or more, got {len(frames)}")
    chosen = frames[np.arange(FRAMES) * len(frames) // FRAMES]
    small = F.interpolate(torch.from_numpy(chosen).movedim(-1, 1).float(), size=(SIDE, SIDE), mode="area")
    return small.round().to(torch.uint8).movedim(1, -1).numpy()


def draw(rng: random.Random, *, seen: bool | None = None) -> tuple[Scene, npt.NDArray[np.uint8]]:
    """A random scene with one subject, from its beginning: (scene, uint8 [8, 64, 64, 3])."""
    scene = sample_scene(rng, seen=seen, excluded=None if seen is not None else frozenset(), friends=0.0)
    return scene, shrink(render(scene, rng.randrange(2**31), FRAMES, film=Film(fps=FRAMES // SECONDS)))


def answers(scene: Scene) -> list[int]:
    """The right answer to each question, as an index."""
    said = asdict(scene)
    return [words.index(said[name]) for name, words in QUESTIONS.items()]


def _renders(config: JudgeConfig, directory: Path) -> tuple[Any, npt.NDArray[np.int64]]:
    """The rendered training clips, drawn once: uint8 [N, 8, 64, 64, 3] and answers [N, questions]."""
    directory.mkdir(parents=True, exist_ok=True)
    path, answer_path = directory / "clips.npy", directory / "answers.npy"
    if not answer_path.exists():
        rng = random.Random(f"judge {config.seed}")
        open_memmap: Any = npy.open_memmap
        clips = open_memmap(path, mode="w+", dtype=np.uint8, shape=(config.clips, FRAMES, SIDE, SIDE, 3))
        right = []
        with Journal(directory, "renders for the judge", config.clips) as journal:
            for i in range(config.clips):
                scene, clips[i] = draw(rng)
                right.append(answers(scene))
                journal.log(i + 1)
        np.save(answer_path, np.array(right, np.int64))
        (directory / "curve.jsonl").unlink()
    return np.load(path, mmap_mode="r"), np.load(answer_path)


def to_clips(small: npt.NDArray[np.uint8]) -> torch.Tensor:
    """uint8 [B, 8, 64, 64, 3] → float [B, 8, 3, 64, 64] in -1..1."""
    return torch.from_numpy(small).movedim(-1, 2).float() / 127.5 - 1.0


def roughen(clips: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Shifts, dims, blurs and grains whole clips a little: a judge must not hang on a render's last detail."""
    count = len(clips)
    gain = 1 + 0.12 * (torch.rand(count, 1, 3, 1, 1, generator=generator) - 0.5)
    lift = 0.1 * (torch.rand(count, 1, 3, 1, 1, generator=generator) - 0.5)
    grain = 0.06 * torch.rand(count, 1, 1, 1, 1, generator=generator)
    out = clips * gain + lift + grain * torch.randn(clips.shape, generator=generator)
    across, down = (int(torch.randint(-2, 3, (1,), generator=generator)) for _ in range(2))
    out = torch.roll(out, (across, down), dims=(-1, -2))
    if torch.rand(1, generator=generator) < 0.5:
        soft = F.avg_pool2d(F.pad(out.flatten(0, 2)[:, None], (1, 1, 1, 1), mode="replicate"), 3, 1)
        out = soft.view_as(out)
    return out


def train(config: JudgeConfig, directory: Path, *, stop_at: int | None = None) -> Judge:
    """Trains on renders of all combinations, resuming from `directory`."""
    torch.manual_seed(config.seed)
    clips, right = _renders(config, directory)
    judge = Judge(config)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=config.rate, weight_decay=0.02)
    keeper = Checkpoint(directory, {"judge": judge}, {"adam": optimizer})
    begin, _ = keeper.load()
    end = min(config.steps, stop_at or config.steps)
    with Stop() as stop, Journal(directory, "judge", config.steps, begin=begin) as journal:
        for step in range(begin, end):
            rows = np.sort(np.random.default_rng([config.seed, step]).choice(len(clips), config.batch, replace=False))
            generator = torch.Generator().manual_seed(config.seed * 100_003 + step)
            with mixed():
                logits, _ = judge(roughen(to_clips(clips[rows]), generator))
            wanted = torch.from_numpy(right[rows])
            loss = torch.stack(
                [F.cross_entropy(logits[n].float(), wanted[:, i]) for i, n in enumerate(QUESTIONS)]
            ).sum()
            for group in optimizer.param_groups:
                group["lr"] = config.rate * min(
                    1.0, (step + 1) / 50, max(0.01, (config.steps - step) / config.steps / 0.5)
                )
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
            journal.log(step + 1, loss=loss.item())
            last = stop.due() or step + 1 == end
            if last or (step + 1) % 200 == 0:
                keeper.save(step + 1)
            if last:
                break
    return judge.eval()


@torch.inference_mode()
def verdicts(judge: Judge, small: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.int64], torch.Tensor]:
    """Answers int64 [B, questions] and features float32 [B, D] of uint8 [B, 8, 64, 64, 3]."""
    given, features = [], []
    for part in torch.split(to_clips(small), 32):
        logits, seen = judge(part)
        given.append(torch.stack([logits[name].argmax(dim=1) for name in QUESTIONS], dim=1))
        features.append(seen)
    return torch.cat(given).numpy(), torch.cat(features)


def accuracy(judge: Judge, *, count: int = 600, seed: int = 97) -> dict[str, float]:
    """Share of right answers on renders of combinations that no model has seen, by question."""
    rng = random.Random(f"judged {seed}")
    drawn = [draw(rng, seen=False) for _ in range(count)]
    given, _ = verdicts(judge, np.stack([clip for _, clip in drawn]))
    right = np.array([answers(scene) for scene, _ in drawn])
    return {name: float((given[:, i] == right[:, i]).mean()) for i, name in enumerate(QUESTIONS)}


def publish(judge: Judge, shares: dict[str, float], out: Path) -> None:
    """Writes the weights in half precision and `shares`, its accuracy on renders, beside them."""
    out.mkdir(parents=True, exist_ok=True)
    save_file({name: value.half() for name, value in judge.state_dict().items()}, out / "judge.safetensors")
    accuracy = {f"judge_{name}": share for name, share in shares.items()}
    (out / "accuracy.json").write_text(json.dumps(accuracy, indent=2) + "\n", encoding="utf-8")


def published(folder: Path, config: JudgeConfig | None = None) -> tuple[Judge, dict[str, Any]]:
    """The judge that `publish` wrote, and its accuracy on renders by `judge_` and the question.

    Raises:
        FileNotFoundError: none has been written to `folder`.
    """
    if not (folder / "judge.safetensors").exists():
        raise FileNotFoundError(f"no judge in {folder}: run `framecast train judge` first")
    judge = Judge(config or JudgeConfig())
    judge.load_state_dict(load_file(folder / "judge.safetensors"))
    return judge.eval(), json.loads((folder / "accuracy.json").read_text(encoding="utf-8"))
