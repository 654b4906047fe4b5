"""A limit on waiting that keeps every cancellation."""

import asyncio

import pytest

from framecast.within import within


async def test_a_result_an_error_and_a_limit() -> None:
    async def failing() -> None:
        raise ValueError("no")

    assert await within(10, asyncio.sleep(0, "done")) == "done"
    with pytest.raises(ValueError, match="no"):
        await within(10, failing())
    never = asyncio.get_running_loop().create_future()
    with pytest.raises(asyncio.TimeoutError):
        await within(0.01, never)
    assert never.cancelled()


async def test_cancelled_as_the_result_comes_it_is_cancelled() -> None:
    result = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(within(10, result))
    await asyncio.sleep(0)
    result.set_result(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
