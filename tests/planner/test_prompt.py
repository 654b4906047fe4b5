"""Prompts in the templates and with the tokenizers of other families, token for token as transformers reads them."""

from pathlib import Path
from typing import Any, cast

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from framecast.engines.engine import Engine
from framecast.export.models import chat_template
from framecast.planner.planner import PlannerSettings, ScenePlanner

INSTRUCTED = "<s>[INST] {{ messages[-1]['content'] }} [/INST]"
TRIMMED = "<s>[INST] {{ messages[-1]['content'] | trim }} [/INST]"
CHAT = "<s>user\n{{ messages[-1]['content'] }}</s>\n<s>assistant\n"
SPECIAL = ["<s>", "</s>"]
STORIES = [
    "Once a cat plays in the garden.",
    "  a red car drives  ",
    "小猫在庭院里玩耍",
    "She said [/INST] and left.",
    "a </s> b",
]
CORPUS = [*STORIES, "[INST] Once [/INST] [INST] a [/INST]", "user\nOnce\nassistant\n the cat"] * 3


def byte_level() -> Tokenizer:
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=420, special_tokens=SPECIAL, initial_alphabet=alphabet)
    )
    return core


def sentencepiece() -> Tokenizer:
    """As Llama 2 and Mistral have it: a blank is ▁, and what is unknown falls back to bytes."""
    core = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    core.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    special = ["<unk>", *SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256))]
    core.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=700, special_tokens=special))
    return core


@pytest.mark.parametrize("template", [INSTRUCTED, TRIMMED, CHAT], ids=["instructed", "trimmed", "chat"])
@pytest.mark.parametrize("core", [byte_level, sentencepiece])
def test_it_is_read_in_one_piece(core: Any, template: str, tmp_path: Path) -> None:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core(), bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = template
    tokenizer.save_pretrained(tmp_path)
    prefix, suffix = chat_template(tokenizer, "")
    settings = PlannerSettings(prefix, suffix, tokenizer.eos_token_id, len(tokenizer), 512, 64, 6)
    planner = ScenePlanner(cast(Engine, None), tmp_path / "tokenizer.json", settings)
    for story in STORIES:
        whole = tokenizer.apply_chat_template([{"role": "user", "content": story.strip()}], tokenize=False)
        expected, found = tokenizer(whole, add_special_tokens=False).input_ids, planner._prompt(story.strip())
        if "</s>" in story:  # a caller ends no message
            assert found.count(tokenizer.eos_token_id) == expected.count(tokenizer.eos_token_id) - 1
            assert "".join(tokenizer.decode(found).split()) == "".join(tokenizer.decode(expected).split())
        else:
            assert found == expected
