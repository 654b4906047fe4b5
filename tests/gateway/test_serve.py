"""The command that is run beside a server, and what becomes of its end."""

import asyncio
import subprocess
import sys

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


@pytest.mark.parametrize(("soft", "hard", "after"), [(300, 900, 900), (300, 300, 300), (900, 900, 900)])
def test_it_may_have_as_many_connections_as_the_system_lets_it(soft: int, hard: int, after: int) -> None:
    program = f"""
import resource
from framecast.gateway.serve import allow_connections
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
allow_connections()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(after), str(hard)]
