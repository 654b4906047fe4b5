"""Reads a text against a policy."""

import re
from dataclasses import dataclass

from framecast.review.plain import plain
from framecast.review.policy import ACTIONS, Category, Policy

_NO_SPACES = re.compile(r"[⺀-鿿가-힯぀-ヿ฀-๿]")  # scripts that write words without gaps, or glue endings to them


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
        return self.category.action == "refuse"


class Reviewer:
    """Looks for a policy's terms; a lexicon, not a judge: it knows no context but the policy's harmless phrases."""

    def __init__(self, policy: Policy) -> None:
        ranked = sorted(policy.categories, key=lambda each: ACTIONS.index(each.action))
        self._searches = [(each, _any_of(each.terms)) for each in ranked]
        self._harmless = _any_of(policy.harmless) if policy.harmless else None

    def review(self, text: str) -> Finding | None:
        """The finding that counts; None where nothing was found."""
        read = plain(text)
        if self._harmless is not None:
            read = self._harmless.sub(" ", read)
        for category, search in self._searches:
            if found := search.search(read):
                return Finding(category, found[0])
        return None


def _any_of(terms: tuple[str, ...]) -> "re.Pattern[str]":
    """Terms as whole words; in scripts without gaps, anywhere. Longer ones first: a finding has all its words."""
    patterns = []
    for term in sorted(terms, key=len, reverse=True):
        stem = re.escape(plain(term.rstrip("*"))).replace(r"\ ", r"\W+")
        bare = bool(_NO_SPACES.search(term))
        patterns.append(stem if bare else rf"(?<!\w){stem}" + (r"\w*" if term.endswith("*") else r"(?!\w)"))
    return re.compile("|".join(patterns))
