"""The form of the prompts that a planner may write, as a regular expression."""

import re
from collections.abc import Iterable

SUBJECTS = "{subjects}"
"""Stands in a form for what a story is about."""


def prompts_about(form: str, subjects: Iterable[str]) -> str:
    """The regular expression `form` of prompts with these subjects where it has `SUBJECTS`."""
    return form.replace(SUBJECTS, "|".join(map(re.escape, subjects)))
