"""What is not filmed: categories of terms, from a file that whoever serves may replace."""

import json
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from framecast.errors import InvalidRepository
from framecast.review.plain import plain

REFUSE, NOTE = "refuse", "note"
ACTIONS = (REFUSE, NOTE)
_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Category:
    """A kind of content.

    Attributes:
        name: a word of letters, digits, - and _ of ASCII, for metrics and metadata.
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
        pictures: what becomes of those that the model's safety checker finds: ``refuse`` or ``note``.
    """

    categories: tuple[Category, ...]
    harmless: tuple[str, ...] = ()
    pictures: str = REFUSE

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
        except (OSError, ValueError) as error:
            raise InvalidRepository(f"{name} is not a review policy: {error}.") from error

    @classmethod
    def _parse(cls, found: Any) -> "Policy":
        policy = _object("the file", found, required=("categories",), optional=("harmless", "pictures"))
        categories = [_category(name, each) for name, each in _object("categories", policy["categories"]).items()]
        pictures = policy.get("pictures", REFUSE)
        if pictures not in ACTIONS:
            raise ValueError(f"pictures is {pictures!r:.40}, which is none of {', '.join(ACTIONS)}")
        return cls(tuple(categories), tuple(_terms("harmless", policy.get("harmless", []))), pictures)


def _category(name: str, found: Any) -> Category:
    """Raises ValueError for what is none."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"the category {name!r} is no word of letters, digits, - and _; about says it in any words")
    each = _object(name, found, required=("about", "action", "terms"))
    if each["action"] not in ACTIONS:
        raise ValueError(f"{name} has the action {each['action']!r}, which is none of {', '.join(ACTIONS)}")
    if not isinstance(each["about"], str):
        raise ValueError(f"{name}: about is {each['about']!r:.40}, which is no text")
    languages = _object(f"{name}, terms", each["terms"])
    terms = [term for language, these in languages.items() for term in _terms(f"{name}, {language}", these)]
    if not terms:
        raise ValueError(f"{name} has no terms")
    return Category(name, each["about"], each["action"], tuple(terms))


def _object(where: str, found: Any, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """Raises ValueError for what is no JSON object, lacks a key, or has one that nobody would read."""
    if not isinstance(found, dict):
        raise ValueError(f"{where}: {found!r:.40} is no object")
    for key in required:
        if key not in found:
            raise ValueError(f"{where} has no {key}")
    if required and (unknown := set(found) - {*required, *optional}):
        raise ValueError(
            f"{where} has {min(unknown)!r}, which means nothing; known are {', '.join((*required, *optional))}"
        )
    return found


def _terms(where: str, found: Any) -> list[str]:
    """Raises ValueError for what is no list of terms that can be looked for."""
    if not isinstance(found, list):
        raise ValueError(f"{where}: {found!r:.40} is no list of terms")
    for term in found:
        stem = plain(term.removesuffix("*")).strip() if isinstance(term, str) else ""
        if not stem or "*" in stem:
            raise ValueError(f"{where}: {term!r:.40} is no term; a * may stand at the end of one")
    return list(found)
