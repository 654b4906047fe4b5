"""The grammar that keeps a planner's output a storyboard, by llguidance."""

import json
import re
import string
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import llguidance
import llguidance.numpy
import numpy as np
from numpy.typing import NDArray

from framecast.planner.storyboard import schema
from framecast.planner.subjects import EVERYTHING, Named

# Minified: a weak model would spend its tokens on blanks.
_MINIFIED: Any = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}


@lru_cache(maxsize=256)
def storyboard_grammar(max_scenes: int, subjects: Named = EVERYTHING) -> str:
    """The llguidance grammar of a storyboard of up to `max_scenes` scenes, of these subjects alone."""
    board = schema(max_scenes, prompts_of(subjects) if subjects.missing else "")
    return llguidance.LLMatcher.grammar_from_json_schema(json.dumps(board), overrides=_MINIFIED)


def prompts_of(subjects: Named) -> str:
    """A regular expression of the texts in which no word begins as a subject that is missing, but those there.

    A grammar knows no look-ahead, so it is spelt out how a word may part from each of the missing ones.
    """
    other, word = "[^a-z]", _parting(_spelt(subjects.missing), _spelt(subjects.there))
    return f"^{other}*({word}({other}+{word})*{other}*)?$"


def _spelt(words: Sequence[str]) -> frozenset[str]:
    return frozenset(word for word in words if re.fullmatch("[a-z]+", word))


def _parting(missing: frozenset[str], there: frozenset[str], *, begun: bool = False) -> str:
    """How a word goes on whose rest must not begin with what is `missing` of one, but may be all that is `there`."""
    if "" in missing:  # ball: only balloon, where the story has one
        return f"({'|'.join(sorted(there - {''}))})"
    if not missing:
        return "[a-z]*" if begun else "[a-z]+"
    firsts = sorted({word[0] for word in missing})
    ways = []
    for first in firsts:
        rests = [frozenset(word[1:] for word in words if word[:1] == first) for words in (missing, there)]
        if "" not in rests[0] or rests[1] - {""}:
            ways.append(first + _parting(*rests, begun=True))
    ways.append(f"[{''.join(letter for letter in string.ascii_lowercase if letter not in firsts)}][a-z]*")
    return f"({'|'.join(ways)}){'?' if begun else ''}"


class Constraint:
    """Walks a grammar token by token.

    Args:
        tokenizer: the planner's.
        max_scenes: of the storyboard.
        subjects: that it may be of.

    Raises:
        ValueError: llguidance does not accept the grammar.
    """

    def __init__(self, tokenizer: llguidance.LLTokenizer, max_scenes: int, subjects: Named = EVERYTHING) -> None:
        self._matcher = llguidance.LLMatcher(tokenizer, storyboard_grammar(max_scenes, subjects))
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
