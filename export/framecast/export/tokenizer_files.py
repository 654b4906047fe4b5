"""The tokenizers that serving reads: one ``tokenizer.json`` each, and what must be true of it."""

from pathlib import Path
from typing import Any

import llguidance

from framecast.errors import InvalidRepository
from framecast.export.bundle import Conventions
from framecast.planner.grammar import Constraint
from framecast.planner.prompts import prompts_about

FILE = "tokenizer.json"
_ORDINARY = "a red car"


def tokenizer_json(tokenizer: Any, folder: Path) -> str:
    """The folder's ``tokenizer.json``; where it has other files, as CLIP's vocabulary and merges, what they amount to.

    Args:
        tokenizer: as transformers has loaded it from `folder`.
        folder: of the bundle.

    Raises:
        InvalidRepository: the tokenizer runs in Python only.
    """
    if (folder / FILE).is_file():
        return (folder / FILE).read_text(encoding="utf-8")
    fast = getattr(tokenizer, "backend_tokenizer", None)
    if fast is None:
        raise InvalidRepository(
            f"{folder} has no {FILE}, and a {type(tokenizer).__name__} cannot be written as one; save a fast tokenizer."
        )
    return str(fast.to_str())


def check_grammar(text: str, planner: Any, tokenizer: Any, folder: Path, conventions: Conventions) -> None:
    """The storyboard's grammar can be held to these tokens, and the prompts' form to it. Raises InvalidRepository."""
    if tokenizer.eos_token_id is None:
        raise InvalidRepository(f"{folder} has a tokenizer without an eos_token; name the one that ends an answer.")
    try:
        tokens = llguidance.LLTokenizer(text, n_vocab=planner.config.vocab_size, eos_token=tokenizer.eos_token_id)
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InvalidRepository(
            f"The planner's tokenizer in {folder} cannot be held to the storyboard's grammar: {reason}; byte-level BPE "
            "and BPE with byte fallback can."
        ) from error
    prompts = prompts_about(conventions.planner_prompts, conventions.planner_subjects)
    try:
        Constraint(tokens, conventions.planner_max_scenes, prompts)
    except ValueError as error:
        reason = " ".join(str(error).split())[:200]
        raise InvalidRepository(
            f"planner_prompts in framecast.json is no form that prompts can have: {reason}"
        ) from error


def check_prompts(tokenizer: Any, text_encoder: Any, folder: Path) -> None:
    """Prompts of the tokenizer's length fit the text encoder. Raises InvalidRepository."""
    length, positions = tokenizer.model_max_length, text_encoder.config.max_position_embeddings
    if not isinstance(length, int):
        raise InvalidRepository(
            f"{folder} has model_max_length {length!r}, which is no whole number; write {positions}."
        )
    if length > positions:
        said = "names no model_max_length" if length > 10**9 else f"has model_max_length {length}"
        raise InvalidRepository(
            f"{folder} {said}, and the text encoder {positions} positions; write {positions} there."
        )
    try:
        words = tokenizer(_ORDINARY, add_special_tokens=False).input_ids
    except Exception as error:
        raise InvalidRepository(
            f"{folder} has a tokenizer that cannot read {_ORDINARY!r}: {error}; is it the text encoder's own?"
        ) from error
    if set(words) <= {tokenizer.unk_token_id}:
        raise InvalidRepository(
            f"{folder} has a tokenizer that knows no word of {_ORDINARY!r}: its vocabulary is missing, a {FILE} or "
            "vocab.json with merges.txt; save it whole."
        )
    if tokenizer.pad_token is None:
        raise InvalidRepository(f"{folder} names no pad_token, with which prompts are filled up; write one there.")
