"""What is not filmed: categories of terms, from a file that whoever serves may replace."""

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from framecast.errors import InvalidRepository

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
            terms = tuple(term for terms in each["terms"].values() for term in terms)
            if not terms or not all(isinstance(term, str) and term.strip("* ") for term in terms):
                raise ValueError(f"{name} has no terms, or an empty one")
            categories.append(Category(name, str(each["about"]), each["action"], terms))
        return cls(tuple(categories), tuple(found.get("harmless", ())))
