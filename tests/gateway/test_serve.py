"""The command that is run beside a server, and what becomes of its end."""

import asyncio

import pytest

from framecast.gateway.serve import _until_done
from framecast.within import cancelled


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -9 $$", 137), ("exit 0", 0)])
async def test_the_commands_end_is_told_as_a_shell_tells_it(script: str, code: int) -> None:
    assert await _until_done(["sh", "-c", script], "localhost:1", asyncio.Queue()) == code


async def test_a_cancellation_of_who_waits_is_not_lost() -> None:
    closing, may_close = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            closing.set()
            await may_close.wait()

    task = asyncio.create_task(slow())
    await asyncio.sleep(0)
    waits = asyncio.create_task(cancelled(task))
    await closing.wait()
    waits.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits
    may_close.set()
    await asyncio.wait({task})
    assert task.cancelled()
