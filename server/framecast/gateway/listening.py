"""A port that stays open: a gRPC server that ends by itself is followed by another one on the same port."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

import grpc

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - where a look at them goes


class Listening:
    """gRPC servers on one port, one after the other.

    One call whose method name is no UTF-8, as grpc-js sends "Générer", ends grpcio's asyncio server: the name is
    decoded outside of any try (1.85), before interceptors and tokens. What that server has accepted goes on; only
    nobody is accepted any more. It says so when the last of its calls has ended, so that the port is looked at.

    Args:
        make: a server with its services, which are the same objects each time.
        listen: has a server listen on a port, 0 the first time. Returns it; raises OSError.
        host: of the port, without brackets.
    """

    def __init__(
        self, make: Callable[[], grpc.aio.Server], listen: Callable[[grpc.aio.Server, int], int], host: str
    ) -> None:
        self._make, self._listen = make, listen
        self._host = _ANY.get(host, host)
        self._servers: list[grpc.aio.Server] = []
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Listens; returns the port. Raises OSError."""
        server = self._make()
        port = self._listen(server, 0)
        await server.start()
        self._servers.append(server)
        self._watch = asyncio.create_task(self._keep(port), name="listening")
        return port

    async def stop(self, grace: float | None) -> None:
        """Nobody is accepted any more; what is left after `grace` seconds is cancelled, without them at once."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
        ended = await asyncio.gather(*(server.stop(grace) for server in self._servers), return_exceptions=True)
        for error in filter(None, ended):  # of one that had ended by itself
            logger.debug("a gRPC server that had ended stops: %s", error)

    async def _keep(self, port: int) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if await self._is_closed(port):
                server = self._make()
                with suppress(OSError):  # the next look tries again
                    self._listen(server, port)
                    await server.start()
                    self._leave(self._servers[-1])
                    self._servers.append(server)
                    logger.warning("the gRPC server ended by itself; another one listens on port %d", port)

    def _leave(self, server: grpc.aio.Server) -> None:
        """Forgets a server that has ended once its last call has."""
        end = asyncio.create_task(server.wait_for_termination())

        def ended(task: asyncio.Task[bool]) -> None:
            if not task.cancelled() and task.exception() is not None:
                logger.debug("the gRPC server that ended by itself: %s", task.exception())
            if server in self._servers[:-1]:
                self._servers.remove(server)

        end.add_done_callback(ended)

    async def _is_closed(self, port: int) -> bool:
        try:
            _, connection = await asyncio.open_connection(self._host, port)
        except ConnectionRefusedError:
            return True
        except OSError:  # no descriptor left, say: nothing is known
            return False
        connection.close()
        with suppress(OSError):
            await connection.wait_closed()
        return False
