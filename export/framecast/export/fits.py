"""What a bundle's conventions and models must be to each other: checked once they are loaded, before any export."""

from pathlib import Path
from typing import Any

from framecast.errors import InvalidRepository
from framecast.export.bundle import Conventions
from framecast.export.settings import size_multiple

_SHORT_STORY = 16  # tokens


def check_size(conventions: Conventions, pipeline: Any, most: int) -> None:
    """The usual width and height can be made, and are at most `most`. Raises InvalidRepository."""
    multiple = size_multiple(conventions, pipeline)
    for name, value in (("width", conventions.width), ("height", conventions.height)):
        if value % multiple:
            raise InvalidRepository(f"The usual {name} is {value}; name a multiple of {multiple} in framecast.json.")
        if value > most:
            raise InvalidRepository(f"The usual {name} is {value}, above {most}; name a smaller one in framecast.json.")


def check_vocabulary(planner: Any, tokenizer: Any, folder: Path) -> None:
    """The planner knows every token of its tokenizer. Raises InvalidRepository."""
    if len(tokenizer) > planner.config.vocab_size:
        raise InvalidRepository(
            f"{folder} has a tokenizer of {len(tokenizer)} tokens and a model of {planner.config.vocab_size}; "
            "save the two that belong together."
        )


def check_context(conventions: Conventions, planner: Any, tokenizer: Any, template: tuple[str, str]) -> None:
    """A short story and a quarter of the longest answer fit the planner's context. Raises InvalidRepository."""
    context = planner.config.max_position_embeddings
    around = sum(len(tokenizer(part).input_ids) for part in template)
    if context - conventions.planner_max_new_tokens // 4 < around + _SHORT_STORY:
        raise InvalidRepository(
            f"planner_max_new_tokens is {conventions.planner_max_new_tokens}, which leaves no room for a story in the "
            f"planner's {context} positions; lower it in framecast.json."
        )
