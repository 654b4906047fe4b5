"""Reads a text against a policy."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from framecast.review.plain import plain, spelt
from framecast.review.policy import ACTIONS, REFUSE, Category, Policy

_HINDI = "[\u0900-\u0963\u0966-\u097f]"  # without its full stops
# How a term may stand in a text: (characters of its script, what may not be before it, what may not be after it).
_SCRIPTS = (
    (r"[ァ-ヶー]+", r"(?<![ァ-ヶー])", r"(?![ァ-ヶー])"),  # a loan word ends where its script does
    (r"[가-힣 ]+", r"(?<![가-힣])", ""),  # endings are glued to words
    (r"[\u0600-\u06ff ]+", r"(?<!\w)(?:[وفبكل]?ال|[وفبل])?", r"(?!\w)"),  # so are article and conjunctions
    (r"[\u0900-\u097f ]+", rf"(?<!{_HINDI})", rf"(?!{_HINDI})"),  # whose vowels are no \w
    (r"[\u0e00-\u0e7f ]+", "", ""),  # Thai has no gaps between words
    (r".*[\u2e80-\u9fff\uf900-\ufaffぁ-ゟ].*", "", ""),  # no gaps between words
    (r".*", r"(?<!\w)", r"(?!\w)"),
)
_LONG = 4  # letters of a term that is also looked for in what is written letter by letter


@dataclass(frozen=True)
class Finding:
    """What review found in a text.

    Attributes:
        category: of the policy.
        words: as they stand in the text, but for `plain`.
    """

    category: Category
    words: str

    @property
    def refused(self) -> bool:
        """Whether the text is not filmed."""
        return self.category.action == REFUSE


class Reviewer:
    """Looks for a policy's terms; a lexicon, not a judge: it knows no context but the policy's harmless phrases."""

    def __init__(self, policy: Policy) -> None:
        ranked = sorted(policy.categories, key=lambda each: ACTIONS.index(each.action))
        self._searches = [(each, _Terms(each.terms), _inside(each.terms)) for each in ranked]
        self._harmless = _Terms(policy.harmless)

    def review(self, text: str) -> Finding | None:
        """The finding that counts; None where nothing was found."""
        read = self._harmless.blanked(plain(text))
        letters = " ".join(spelt(read))
        for category, terms, inside in self._searches:
            if found := terms.first(read) or (inside.search(letters) if inside and letters else None):
                return Finding(category, found[0])
        return None


class _Terms:
    """Terms as words of their script. Longer ones first: a finding has all its words.

    Only those whose first word is somewhere in a text are looked for: all of them in one expression take a tenth of a
    second of a long story, and nothing else is answered meanwhile.
    """

    def __init__(self, terms: Sequence[str]) -> None:
        longest = sorted(terms, key=len, reverse=True)
        self._patterns = [(plain(term.rstrip("*")).split()[0], re.compile(_pattern(term))) for term in longest]

    def first(self, read: str) -> "re.Match[str] | None":
        """The first of them in a text that is `plain`."""
        found = (pattern.search(read) for word, pattern in self._patterns if word in read)
        return min(filter(None, found), key=re.Match.start, default=None)

    def blanked(self, read: str) -> str:
        """A text that is `plain` without them."""
        there = [pattern.pattern for word, pattern in self._patterns if word in read]
        return re.sub("|".join(there), " ", read) if there else read  # all at once: what parts them is not theirs


def _pattern(term: str) -> str:
    stem = plain(term.rstrip("*"))
    before, after = next((before, after) for script, before, after in _SCRIPTS if re.fullmatch(script, stem, re.DOTALL))
    if term.endswith("*"):
        after = r"\w*"
    return before + re.escape(stem).replace(r"\ ", r"\W+") + after


def _inside(terms: Sequence[str]) -> "re.Pattern[str] | None":
    """Latin terms without their gaps, anywhere."""
    stems = [re.sub(r"\W", "", plain(term)) for term in terms]
    long = [stem for stem in stems if stem.isascii() and len(stem) >= _LONG]
    return re.compile("|".join(map(re.escape, long))) if long else None
