"""Running an async generator ahead of its reader."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeVar

from framecast.within import cancelled

T = TypeVar("T")


class _End:
    """Marks the end of the items, with the error that caused it."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


async def ahead(source: AsyncGenerator[T, None], items: int) -> AsyncGenerator[T, None]:
    """Yields what `source` yields while `source` already works on what follows.

    At most `items` finished ones wait: a slow reader holds the source back. An error of the source is raised where
    its item would have come. Closing this generator cancels the source and waits until it has closed.

    Args:
        source: owned by this generator from here on.
        items: how many finished items may wait, at least 1.
    """
    queue: asyncio.Queue[T | _End] = asyncio.Queue(items)

    async def work() -> None:
        error: BaseException | None = None
        try:
            async for item in source:
                await queue.put(item)
        except Exception as caught:  # noqa: BLE001 - handed to the reader, who raises it
            error = caught
        except asyncio.CancelledError:
            if closing:
                raise
            error = RuntimeError("the source was cancelled from inside")
        finally:
            await source.aclose()
        await queue.put(_End(error))

    closing = False
    worker = asyncio.create_task(work())
    try:
        while True:
            item = await queue.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        closing = True
        await cancelled(worker)
