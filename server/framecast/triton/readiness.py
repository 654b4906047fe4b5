"""Whether every model of the pipeline is ready, asked of Triton itself."""

import asyncio
from collections.abc import Callable

from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from framecast.errors import StageUnavailable
from framecast.stages.contracts import ENSEMBLES, MODELS

POLL = 0.1  # seconds


async def answers(client: InferenceServerClient, timeout: float) -> bool:
    """True when the server says within `timeout` seconds that it is ready."""
    try:
        return bool(await client.is_server_ready(client_timeout=timeout))
    except InferenceServerException:
        return False


async def all_ready(client: InferenceServerClient, timeout: float = 2.0) -> bool:
    """True when the server and every model of ours say that they are ready."""
    if not await answers(client, timeout):
        return False
    try:
        names = [model.name for model in (*MODELS, *ENSEMBLES)]
        ready = [await client.is_model_ready(name, client_timeout=timeout) for name in names]
    except InferenceServerException:
        return False
    return all(ready)


async def wait_ready(
    client: InferenceServerClient, timeout: float, check_alive: Callable[[], None] = lambda: None
) -> None:
    """Waits until `all_ready`.

    Args:
        client: of the server.
        timeout: seconds.
        check_alive: raises when waiting has become pointless.

    Raises:
        StageUnavailable: not ready in time.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout
    while not await all_ready(client):
        check_alive()
        if loop.time() > until:
            raise StageUnavailable(f"Triton was not ready within {timeout:.0f} s.")
        await asyncio.sleep(POLL)
