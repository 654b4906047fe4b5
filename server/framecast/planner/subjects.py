"""What a small planner has learnt to write of: a story that names none of it is refused, not filmed as another."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

from framecast.errors import InvalidRequest

_NO_GAPS = re.compile(r"[⺀-鿿]")  # ideographs: words stand without gaps
_LETTER = r"[^\W⺀-鿿]"  # of a word that ends where an ideograph begins


class Subjects:
    """The nouns of every subject.

    Args:
        nouns: subject → the nouns that stories may use for it, in any language; none: a planner that knows everything.
    """

    def __init__(self, nouns: Mapping[str, Sequence[str]]) -> None:
        self._names = ", ".join(_named(name, these) for name, these in nouns.items())
        self._searches = {
            name: re.compile("|".join(map(_pattern, these)), re.IGNORECASE) for name, these in nouns.items() if these
        }

    def named(self, story: str) -> tuple[str, ...]:
        """The subjects that `story` names; none where nothing is known of any.

        Raises:
            InvalidRequest: it names none of those that are known.
        """
        text = unicodedata.normalize("NFKC", story)
        found = tuple(name for name, search in self._searches.items() if search.search(text))
        if self._searches and not found:
            raise InvalidRequest("text", f"names nothing that this bundle has learnt to film: {self._names}")
        return found


def _named(name: str, nouns: Sequence[str]) -> str:
    """A subject as callers of either script may know it: kitten 小猫."""
    foreign = next((noun for noun in nouns if _NO_GAPS.search(noun)), "")
    return f"{name} {foreign}".strip()


def _pattern(noun: str) -> str:
    if _NO_GAPS.search(noun):
        return re.escape(noun)
    stem, end = (noun[:-1], "(?:y|ies)") if noun.endswith("y") else (noun, "(?:e?s)?")
    return rf"(?<!{_LETTER}){re.escape(stem)}{end}(?!{_LETTER})"
