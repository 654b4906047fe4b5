"""The tokenizers hold any text, and their special tokens are real ones."""

from pathlib import Path

import pytest
from transformers import CLIPTokenizer, PreTrainedTokenizerFast

from framecast.train.planner import prompt
from framecast.train.tokenizers import ASSISTANT, END, PAD, TEXT_LENGTH, USER


def test_planner_tokenizer_round_trips_any_text(tokenizers: Path) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tokenizers / "tokenizers" / "planner")
    for text in ("一只可爱的小猫在庭院里玩耍", "a white kitten, 3.5 s", "naïve 🐈 ω\ttab", '{"scenes":[]}'):
        assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert tokenizer.eos_token == END
    for token in (PAD, END, USER, ASSISTANT):
        (number,) = tokenizer(token).input_ids
        assert tokenizer.convert_ids_to_tokens(number) == token


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("A WHITE Kitten", "a white kitten"),
        ("一隻白色的小貓在庭院裡", "一只白色的小猫在庭院里"),
        ("Ａ ｃａｒ　３", "a car 3"),
        ("one.\ntwo", "one.\n two"),
    ],
)
def test_planner_tokenizer_reads_other_letters_as_those_it_has_learnt(
    tokenizers: Path, written: str, read: str
) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tokenizers / "tokenizers" / "planner")
    assert tokenizer.decode(tokenizer(written).input_ids) == read


def test_the_first_word_is_one_as_any_other(tokenizers: Path) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tokenizers / "tokenizers" / "planner")
    first, later = tokenizer(prompt("Dogs run")).input_ids, tokenizer("many dogs run").input_ids
    run = tokenizer(" dogs run").input_ids
    assert first[1:-2] == run == later[-len(run) :]


def test_chat_template_is_the_training_prompt(tokenizers: Path) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tokenizers / "tokenizers" / "planner")
    asked = [{"role": "user", "content": "小猫玩耍"}]
    assert tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False) == prompt("小猫玩耍")
    told = [*asked, {"role": "assistant", "content": "{}"}]
    assert tokenizer.apply_chat_template(told, tokenize=False) == prompt("小猫玩耍") + "{}" + END


def test_han_characters_are_single_tokens(tokenizers: Path) -> None:
    planner = PreTrainedTokenizerFast.from_pretrained(tokenizers / "tokenizers" / "planner")
    text = CLIPTokenizer.from_pretrained(tokenizers / "tokenizers" / "text")
    assert len(planner("小猫").input_ids) == 2
    assert len(text("小猫", add_special_tokens=False).input_ids) == 2


def test_text_tokenizer_is_clip(tokenizers: Path) -> None:
    tokenizer = CLIPTokenizer.from_pretrained(tokenizers / "tokenizers" / "text")
    assert (tokenizers / "tokenizers" / "text" / "tokenizer.json").exists()
    assert tokenizer.model_max_length == TEXT_LENGTH
    assert tokenizer("A White Kitten").input_ids == tokenizer("a white kitten").input_ids
    ids = tokenizer("a white kitten plays in the courtyard, day").input_ids
    assert ids[0] == tokenizer.bos_token_id
    assert ids[-1] == tokenizer.eos_token_id
    assert len(ids) < 16
    assert tokenizer.unk_token_id not in tokenizer("Ω 🐈 ÿ", add_special_tokens=False).input_ids
