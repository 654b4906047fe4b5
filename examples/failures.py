"""Which of many lines the server could not make something of."""

from collections.abc import Iterator
from contextlib import contextmanager

from framecast.client import FramecastClientError


@contextmanager
def told_of(line: str) -> Iterator[None]:
    """An error in here says that it is of `line`."""
    try:
        yield
    except FramecastClientError as error:
        raise FramecastClientError(f"{line!r}: {error}", error.code) from error
