"""What is not filmed: categories of terms, from a file that whoever serves may replace."""

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from framecast.errors import InvalidRepository
from framecast.review.plain import plain

ACTIONS = ("refuse", "note")


@dataclass(frozen=True)
class Category:
    """A kind of content.

    Attributes:
        name: a word, for metrics.
        about: the kind in words, for who is refused.
        action: ``refuse``, or ``note``: film it, and count it.
        terms: words and phrases, in any language. A ``*`` at the end stands for any ending.
    """

    name: str
    about: str
    action: str
    terms: tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    """Everything that review goes by.

    Attributes:
        categories: the first that fits is the one that counts, ``refuse`` before ``note``.
        harmless: phrases in which a term means something else.
    """

    categories: tuple[Category, ...]
    harmless: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: Path | None = None) -> "Policy":
        """Reads a JSON file, or the policy that comes with Framecast.

        Raises:
            InvalidRepository: the file is missing, or not a policy; says what is wrong with it.
        """
        name = str(path or "the built-in policy")
        try:
            own = resources.files("framecast.review").joinpath("policy.json")
            return cls._parse(json.loads((path or own).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidRepository(f"{name} is not a review policy: {error or type(error).__name__}.") from error

    @classmethod
    def _parse(cls, found: Any) -> "Policy":
        categories = []
        for name, each in found["categories"].items():
            if each["action"] not in ACTIONS:
                raise ValueError(f"{name} has the action {each['action']!r}, which is none of {', '.join(ACTIONS)}")
            terms = [term for language, these in each["terms"].items() for term in _terms(f"{name}, {language}", these)]
            if not terms:
                raise ValueError(f"{name} has no terms")
            categories.append(Category(name, str(each["about"]), each["action"], tuple(terms)))
        return cls(tuple(categories), tuple(_terms("harmless", found.get("harmless", []))))


def _terms(where: str, found: Any) -> list[str]:
    """Raises ValueError for what is no list of terms that can be looked for."""
    if not isinstance(found, list):
        raise ValueError(f"{where}: {found!r:.40} is no list of terms")
    for term in found:
        stem = plain(term.removesuffix("*")).strip() if isinstance(term, str) else ""
        if not stem or "*" in stem:
            raise ValueError(f"{where}: {term!r:.40} is no term; a * may stand at the end of one")
    return list(found)
