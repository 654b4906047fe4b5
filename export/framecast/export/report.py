"""What an export tells whoever waits for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console


class Report:
    """Lines that stay and a spinner for what goes on.

    Args:
        console: None says nothing.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console

    def line(self, text: str) -> None:
        """One finished part."""
        if self._console is not None:
            self._console.print(text, highlight=False)

    @contextmanager
    def busy(self, what: str) -> Iterator[Callable[[str], None]]:
        """Shows `what` while it lasts, or what the function that it gives is told."""
        if self._console is None:
            yield lambda text: None
            return
        with self._console.status(what) as status:
            yield status.update
