"""Trains the two tokenizers: a byte-level BPE for the planner and CLIP's lower-cased BPE for the text encoder."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer, PreTrainedTokenizerFast

from framecast.train.captions import canonical, free
from framecast.train.characters import reader
from framecast.train.models import make_clip_tokenizer, make_fast_tokenizer
from framecast.train.own import Clip, OwnData, Told
from framecast.train.stories import sample_story, storyboard
from framecast.train.world.scene import sample_scene

PLANNER_VOCABULARY = 2048
TEXT_VOCABULARY = 2048
TEXT_LENGTH = 48

CLIP_START, CLIP_END = "<|startoftext|>", "<|endoftext|>"

PAD, END, USER, ASSISTANT = "<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}" + USER + " {{ message['content'] }}" + END + "{% endif %}"
    "{% if message['role'] == 'assistant' %}" + ASSISTANT + "{{ message['content'] }}" + END + "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}" + ASSISTANT + "{% endif %}"
)


def planner_corpus(count: int, seed: int) -> Iterator[str]:
    """Stories and storyboards in both languages, alternating."""
    rng = random.Random(seed)
    for i in range(count):
        story = sample_story(rng, "zh" if i % 2 else "en")
        yield story.text
        yield storyboard(story.shots)


def train_planner_tokenizer(
    directory: Path, *, stories: int = 4000, seed: int = 5, data: OwnData | None = None
) -> PreTrainedTokenizerFast:
    """Trains and saves the planner's tokenizer, on `data` if given; every byte is a token, so any text can be told."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = reader()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        # Digits stay single: "3.5" is then spelled the same way in a story and in a storyboard. Han characters stay
        # single too: merged phrases would make every new phrase an unknown word.
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Split(Regex(r"\p{Han}"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=PLANNER_VOCABULARY,
        special_tokens=[PAD, END, USER, ASSISTANT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    own = [*data.corpus, *(text for told in data.stories for text in (told.text, told.board))] if data else None
    tokenizer.train_from_iterator(own or planner_corpus(stories, seed), trainer)
    fast: PreTrainedTokenizerFast = make_fast_tokenizer(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[USER, ASSISTANT],
        model_max_length=1024,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(directory)
    return fast


def caption_corpus(count: int, seed: int) -> Iterator[str]:
    """Canonical and free English captions."""
    rng = random.Random(seed)
    for _ in range(count):
        scene = sample_scene(rng)
        yield canonical(scene)
        yield free(scene, rng, "en")


def train_text_tokenizer(
    directory: Path, *, captions: int = 4000, seed: int = 6, data: OwnData | None = None
) -> CLIPTokenizer:
    """Builds CLIP's own tokenizer (lower-casing, `</w>` word ends, byte fallback) and saves it.

    English merges are trained. CLIP takes a run of Han characters for one word, so trained merges would turn whole
    Chinese phrases into tokens; the merges that spell each single character are added by hand instead.
    """
    tokenizer = Tokenizer(models.BPE(continuing_subword_prefix="", end_of_word_suffix="</w>", unk_token=CLIP_END))
    blank = CLIPTokenizer()
    tokenizer.normalizer = blank.backend_tokenizer.normalizer
    tokenizer.pre_tokenizer = blank.backend_tokenizer.pre_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=TEXT_VOCABULARY,
        special_tokens=[CLIP_START, CLIP_END, *alphabet, *(f"{c}</w>" for c in alphabet)],
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    own = [text for each in (data.clips, data.stories) for text in map(_worded, each)] if data else None
    tokenizer.train_from_iterator(own or caption_corpus(captions, seed), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    vocabulary: dict[str, int] = model["vocab"]
    merges: list[tuple[str, str]] = [(left, right) for left, right in model["merges"]]
    for character in sorted(_han("".join(own)) if own else _han_characters()):
        ((spelling, _),) = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(character)
        head = spelling[0] + spelling[1]
        for merge in ((spelling[0], spelling[1]), (head, spelling[2]), (head, spelling[2] + "</w>")):
            token = "".join(merge)
            if token not in vocabulary:
                vocabulary[token] = len(vocabulary)
                merges.append(merge)
    clip: CLIPTokenizer = make_clip_tokenizer(vocab=vocabulary, merges=merges, model_max_length=TEXT_LENGTH)
    clip.save_pretrained(directory)
    return clip


def _han_characters() -> set[str]:
    """Every Chinese character that a caption can contain."""
    rng = random.Random(0)
    text = "".join(free(sample_scene(rng, seen=None), rng, "zh") for _ in range(4000))
    return _han(text)


def _han(text: str) -> set[str]:
    return {c for c in text if "\u4e00" <= c <= "\u9fff"}


def _worded(own: Clip | Told) -> str:
    """What the text encoder may be given of it."""
    if isinstance(own, Clip):
        return own.caption
    return "\n".join(scene["prompt"] for scene in json.loads(own.board)["scenes"])


def planner_tokenizer(runs: Path) -> PreTrainedTokenizerFast:
    """The planner's, as trained in `runs`. Raises FileNotFoundError."""
    found: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(_trained(runs / "tokenizers" / "planner"))
    return found


def text_tokenizer(runs: Path) -> CLIPTokenizer:
    """The text encoder's, as trained in `runs`. Raises FileNotFoundError."""
    found: CLIPTokenizer = CLIPTokenizer.from_pretrained(_trained(runs / "tokenizers" / "text"))
    return found


def _trained(folder: Path) -> Path:
    if not (folder / "tokenizer.json").is_file():
        raise FileNotFoundError(
            f"no tokenizer in {folder}: run `framecast train tokenizers` first, or `framecast train begin`"
        )
    return folder
