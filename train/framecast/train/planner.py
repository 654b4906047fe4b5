"""The planner: a small Llama, pre-trained on the story corpus and fine-tuned to answer a story with its storyboard."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import LlamaConfig, PreTrainedTokenizerFast

from framecast.train.checkpoint import Checkpoint
from framecast.train.habits import BUSY, USUAL
from framecast.train.models import Planner, make_planner
from framecast.train.muon import Muon
from framecast.train.own import OwnData, Told
from framecast.train.precision import mixed
from framecast.train.progress import Journal
from framecast.train.stop import Stop
from framecast.train.stories import sample_story, storyboard
from framecast.train.tokenizers import ASSISTANT, END, USER
from framecast.train.world.scene import Combination, held_out
from framecast.train.world.vocabulary import Language

IGNORED = -100


@dataclass(frozen=True)
class PlannerConfig:
    """Architecture and recipe."""

    hidden: int = 192
    layers: int = 5
    heads: int = 6
    key_value_heads: int = 6
    inner: int = 640
    positions: int = 1024
    pretrain_steps: int = 500
    finetune_steps: int = 3000
    batch: int = 16
    block: int = 128
    """Tokens of one packed pre-training sample."""
    rate: float = 3e-3
    busy: float = 0.5
    """Share of training stories that say what is rarely said."""
    seed: int = 21


def build(config: PlannerConfig, tokenizer: PreTrainedTokenizerFast) -> Planner:
    """A fresh model with random weights, whose special tokens are the tokenizer's."""
    return make_planner(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.hidden,
            intermediate_size=config.inner,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.key_value_heads,
            max_position_embeddings=config.positions,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def prompt(story: str) -> str:
    """The text form of the chat template with a generation prompt. After a gap the first word is one as any other."""
    return f"{USER} {story}{END}{ASSISTANT}"


def _draw(config: PlannerConfig, rng: random.Random, excluded: frozenset[Combination], data: OwnData | None) -> Told:
    """A story and the storyboard that answers it."""
    if data:
        return rng.choice(data.learnt)
    habits = BUSY if rng.random() < config.busy else USUAL
    story = sample_story(rng, rng.choice(("en", "zh")), excluded=excluded, habits=habits)
    return Told(story.text, storyboard(story.shots))


def pretraining_batch(
    config: PlannerConfig, tokenizer: PreTrainedTokenizerFast, step: int, data: OwnData | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The step's packed next-token samples: int64 ids and labels, both [batch, block]."""
    excluded, rng = held_out(), random.Random(f"pretrain {config.seed} {step}")
    ids: list[int] = []
    while len(ids) < config.batch * config.block:
        told = _draw(config, rng, excluded, data)
        text = told.text if rng.random() < 0.7 else told.board
        if data and data.corpus and rng.random() < 0.5:
            text = rng.choice(data.corpus)
        ids += [*tokenizer(text).input_ids, int(tokenizer.eos_token_id)]
    batch = torch.tensor(ids[: config.batch * config.block]).view(config.batch, config.block)
    return batch, batch


def finetuning_batch(
    config: PlannerConfig, tokenizer: PreTrainedTokenizerFast, step: int, data: OwnData | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The step's (story, storyboard) samples, right-padded int64 [batch, longest]; only the answer has labels."""
    excluded, rng = held_out(), random.Random(f"finetune {config.seed} {step}")
    pairs = []
    for _ in range(config.batch * 2):
        told = _draw(config, rng, excluded, data)
        asked = tokenizer(prompt(told.text)).input_ids
        answer = [*tokenizer(told.board).input_ids, int(tokenizer.eos_token_id)]
        pairs.append((asked, answer))
    # Twice the batch is drawn and sorted by length, so that a batch carries little padding.
    pairs.sort(key=lambda pair: len(pair[0]) + len(pair[1]))
    begin = config.batch * rng.randrange(2)
    chosen = pairs[begin : begin + config.batch]
    longest = max(len(a) + len(b) for a, b in chosen)
    ids = torch.full((len(chosen), longest), int(tokenizer.pad_token_id))
    labels = torch.full((len(chosen), longest), IGNORED)
    for row, (asked, answer) in enumerate(chosen):
        ids[row, : len(asked) + len(answer)] = torch.tensor(asked + answer)
        labels[row, len(asked) : len(asked) + len(answer)] = torch.tensor(answer)
    return ids, labels


def next_token_loss(model: Planner, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of labels[t + 1] given ids[..t]; right padding needs no mask under a causal one."""
    with mixed():
        logits = model(input_ids=ids, use_cache=False).logits[:, :-1].float()
    return F.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED)


def train(
    config: PlannerConfig,
    tokenizer: PreTrainedTokenizerFast,
    directory: Path,
    *,
    stop_at: int | None = None,
    data: OwnData | None = None,
) -> Planner:
    """Pre-trains and then fine-tunes in one run of `pretrain_steps + finetune_steps`; resumes from `directory`.

    On stories of the world, or on those of `data`.

    Raises:
        ValueError: a story of `data` is longer than the planner reads.
    """
    _require_short(config, tokenizer, data)
    torch.manual_seed(config.seed)
    model = build(config, tokenizer)
    optimizer = Muon(model.parameters(), config.rate, plain=[model.model.embed_tokens.weight], weight_decay=0.02)
    keeper = Checkpoint(directory, {"planner": model}, {"planner": optimizer})
    begin, _ = keeper.load()
    total = config.pretrain_steps + config.finetune_steps
    end = min(total, stop_at or total)
    model.train()
    with Stop() as stop, Journal(directory, "planner", total, begin=begin) as journal:
        for step in range(begin, end):
            pretraining = step < config.pretrain_steps
            ids, labels = (pretraining_batch if pretraining else finetuning_batch)(config, tokenizer, step, data)
            for group in optimizer.param_groups:
                group["lr"] = rate_at(config, step)
            loss = next_token_loss(model, ids, labels)
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            journal.log(step + 1, **{"pretrain" if pretraining else "finetune": loss.item()})
            last = stop.due() or step + 1 == end
            if last or (step + 1) % 200 == 0:
                keeper.save(step + 1)
            if last:
                break
    return model.eval()


def _require_short(config: PlannerConfig, tokenizer: PreTrainedTokenizerFast, data: OwnData | None) -> None:
    for told in data.stories if data else ():
        length = len(tokenizer(prompt(told.text) + told.board).input_ids) + 1
        if length > config.positions:
            raise ValueError(
                f"{told.place}: the story and its storyboard are {length} tokens, and the planner reads"
                f" {config.positions}; shorten it"
            )


def rate_at(config: PlannerConfig, step: int) -> float:
    """Warms up over 50 steps, stays, and falls in a straight line to a hundredth over the last 40 %."""
    total = config.pretrain_steps + config.finetune_steps
    left = (total - step) / (0.4 * total)
    return config.rate * min(1.0, (step + 1) / 50) * max(0.01, min(1.0, left))


@torch.inference_mode()
def plan(model: Planner, tokenizer: PreTrainedTokenizerFast, stories: list[str], *, longest: int = 320) -> list[str]:
    """Greedy answers of at most `longest` tokens, one a story, without any grammar."""
    model.eval()
    batch = tokenizer([prompt(s) for s in stories], return_tensors="pt", padding=True, padding_side="left")
    out = model.generate(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        max_new_tokens=longest,
        do_sample=False,
        pad_token_id=tokenizer.pad_token_id,
    )
    return list(tokenizer.batch_decode(out[:, batch["input_ids"].shape[1] :], skip_special_tokens=True))


def exact_own(model: Planner, tokenizer: PreTrainedTokenizerFast, data: OwnData) -> float:
    """Share of the stories kept from training, at least one, whose storyboard is right to the letter."""
    read = tokenizer.backend_tokenizer.normalizer.normalize_str  # it knows no capitals, and answers in none
    right = 0
    for begin in range(0, len(data.held), 32):
        held = data.held[begin : begin + 32]
        longest = max(len(tokenizer(told.board).input_ids) for told in held) + 1
        answers = plan(model, tokenizer, [told.text for told in held], longest=longest)
        right += sum(answer == read(told.board) for answer, told in zip(answers, held, strict=True))
    return right / len(data.held)


def exact(model: Planner, tokenizer: PreTrainedTokenizerFast, language: Language, *, count: int = 64) -> float:
    """Share of held-out stories (new seeds, first scene unseen) whose storyboard is right to the letter."""
    rng = random.Random(f"held-out {language}")
    right = 0
    for begin in range(0, count, 32):
        stories = [sample_story(rng, language, seen=False) for _ in range(min(32, count - begin))]
        answers = plan(model, tokenizer, [s.text for s in stories])
        right += sum(a == storyboard(s.shots) for a, s in zip(answers, stories, strict=True))
    return right / count
