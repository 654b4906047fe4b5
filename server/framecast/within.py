"""Waits that keep every cancellation: before Python 3.12 `asyncio.wait_for` loses some (bpo-37658)."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def within(seconds: float, work: Awaitable[T]) -> T:
    """The result of `work`; it is cancelled when the time is over, or when the caller is.

    Raises:
        asyncio.TimeoutError: it took longer than `seconds`.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            raise asyncio.TimeoutError
        return task.result()
    finally:
        task.cancel()


async def cancelled(task: "asyncio.Task[None]") -> None:
    """Cancels `task` and waits until it has ended; what else it ended with is raised."""
    task.cancel()
    await asyncio.wait({task})  # not the task itself: its cancellation and the caller's would look alike
    if not task.cancelled():
        task.result()
