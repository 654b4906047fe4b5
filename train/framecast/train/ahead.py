"""Batches drawn while the step before them is computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(draw: Callable[[int], T], begin: int, end: int, *, depth: int = 2) -> Iterator[T]:
    """`draw` of begin … end - 1, in order, by one thread: while one is used, `depth` - 1 more are drawn or wait."""
    if depth < 1:
        raise ValueError(f"depth is {depth}; give 1 or more")
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="draw") as pool:
        try:
            for step in range(begin, end):
                while len(waiting) < depth and step + len(waiting) < end:
                    waiting.append(pool.submit(draw, step + len(waiting)))
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
