"""The grammar that keeps a planner's output a storyboard, by llguidance."""

import json
from functools import lru_cache
from typing import Any

import llguidance
import llguidance.numpy
import numpy as np
from numpy.typing import NDArray

from framecast.planner.storyboard import schema

# Minified: a weak model would spend its tokens on blanks.
_MINIFIED: Any = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}


@lru_cache(maxsize=256)
def storyboard_grammar(max_scenes: int, prompts: str = "") -> str:
    """The llguidance grammar of a storyboard of up to `max_scenes` scenes, whose prompts are of the form `prompts`."""
    return llguidance.LLMatcher.grammar_from_json_schema(json.dumps(schema(max_scenes, prompts)), overrides=_MINIFIED)


class Constraint:
    """Walks a grammar token by token.

    Args:
        tokenizer: the planner's.
        max_scenes: of the storyboard.
        prompts: a regular expression of its prompts; empty: whatever the model writes.

    Raises:
        ValueError: llguidance does not accept the grammar.
    """

    def __init__(self, tokenizer: llguidance.LLTokenizer, max_scenes: int, prompts: str = "") -> None:
        self._matcher = llguidance.LLMatcher(tokenizer, storyboard_grammar(max_scenes, prompts))
        if self._matcher.get_error():
            raise ValueError(self._matcher.get_error())
        self._mask = llguidance.numpy.allocate_token_bitmask(1, tokenizer.vocab_size)

    def choose(self, logits: NDArray[np.float32]) -> int:
        """The likeliest token [V] → token that the grammar allows; the grammar steps over it."""
        llguidance.numpy.fill_next_token_bitmask(self._matcher, self._mask)
        llguidance.numpy.apply_token_bitmask_inplace(logits[None], self._mask)
        token = int(logits.argmax())
        self._matcher.consume_token(token)
        return token

    @property
    def complete(self) -> bool:
        """True once nothing may follow. It already is after the token that closes the storyboard."""
        return bool(self._matcher.is_stopped())
