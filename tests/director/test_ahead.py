"""Running ahead: order, bounds, errors and closing."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from framecast.director.ahead import ahead


class Source:
    """Counts up; remembers how far it got and whether it was closed."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.made, self.closed, self._count, self._error = 0, False, count, error

    async def items(self) -> AsyncGenerator[int, None]:
        try:
            while self.made < self._count:
                self.made += 1
                yield self.made
            if self._error:
                raise self._error
        finally:
            self.closed = True


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_order_and_end() -> None:
    source = Source(5)
    assert [item async for item in ahead(source.items(), 2)] == [1, 2, 3, 4, 5]
    assert source.closed


async def test_a_slow_reader_holds_the_source_back() -> None:
    source = Source(100)
    reader = ahead(source.items(), 2)
    assert await anext(reader) == 1
    await settle()
    assert source.made == 4  # one read, two waiting, one in hand
    await reader.aclose()
    assert source.closed


async def test_an_error_comes_where_its_item_would_have() -> None:
    reader = ahead(Source(2, ValueError("broken")).items(), 1)
    assert [await anext(reader), await anext(reader)] == [1, 2]
    with pytest.raises(ValueError, match="broken"):
        await anext(reader)


async def test_closing_cancels_a_source_that_waits() -> None:
    cancelled = asyncio.Event()

    async def stuck() -> AsyncGenerator[int, None]:
        yield 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    reader = ahead(stuck(), 1)
    assert await anext(reader) == 1
    await settle()
    await reader.aclose()
    assert cancelled.is_set()


async def test_a_source_that_cancels_itself_is_an_error_not_a_hang() -> None:
    async def broken() -> AsyncGenerator[int, None]:
        yield 1
        raise asyncio.CancelledError

    reader = ahead(broken(), 1)
    assert await anext(reader) == 1
    with pytest.raises(RuntimeError):
        await asyncio.wait_for(anext(reader), 5)


async def test_cancelling_the_reader_closes_the_source() -> None:
    source = Source(10**9)

    async def read() -> None:
        async for _ in ahead(source.items(), 1):
            await asyncio.sleep(0)

    task = asyncio.create_task(read())
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settle()
    assert source.closed


async def test_a_reader_that_is_cancelled_while_it_closes_is_cancelled() -> None:
    closing, may_close = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncGenerator[int, None]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            closing.set()
            await may_close.wait()

    reader = ahead(slow(), 1)
    assert await anext(reader) == 1
    await settle()
    task = asyncio.create_task(reader.aclose())
    await closing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    may_close.set()
    await settle()
