"""A port that stays open: a gRPC server that ends by itself is followed by another one on the same port."""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from contextlib import suppress

import grpc

from framecast.within import within

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
_LONGEST_PAUSE = 30.0  # between attempts to listen again, when one after the other fails
_ANY = {"": ("127.0.0.1", "::1"), "0.0.0.0": ("127.0.0.1",), "::": ("::1", "127.0.0.1")}  # noqa: S104 - looked at there
_NO_SUCH = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENETUNREACH}  # an address this machine does not have


class Listening:
    """gRPC servers on one port, one after the other.

    One call whose method name is no UTF-8, as grpc-js sends "Générer", ends grpcio's asyncio server: the name is
    decoded outside of any try (1.85), before interceptors and tokens. What that server has accepted goes on; only
    nobody is accepted any more. It says so when the last of its calls has ended, so that the port is looked at. Whoever
    sends such calls again and again still keeps others out for much of the time.

    Args:
        make: a server with its services, which are the same objects each time.
        listen: has a server listen on a port, 0 the first time. Returns it; raises OSError.
        host: of the port, without brackets.
    """

    def __init__(
        self, make: Callable[[], grpc.aio.Server], listen: Callable[[grpc.aio.Server, int], int], host: str
    ) -> None:
        self._make, self._listen = make, listen
        self._hosts = _ANY.get(host, (host,))
        self._servers: list[grpc.aio.Server] = []
        self._left: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Listens; returns the port. Raises OSError."""
        server = self._make()
        port = self._listen(server, 0)
        self._servers.append(server)
        await server.start()
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
        if self._left:
            await asyncio.wait(self._left)

    async def _keep(self, port: int) -> None:
        pause = LOOK_SECONDS
        while True:
            await asyncio.sleep(pause)
            try:
                if await self._is_closed(port):
                    await self._listen_again(port)
                    logger.warning("the gRPC server ended by itself; another one listens on port %d", port)
                pause = LOOK_SECONDS
            except Exception as error:  # noqa: BLE001 - whatever it was, nobody else would look at the port again
                pause = min(2 * pause, _LONGEST_PAUSE)
                logger.warning("port %d is closed, and cannot be listened on: %s; again in %.1f s", port, error, pause)

    async def _listen_again(self, port: int) -> None:
        server = self._make()
        self._listen(server, port)
        before = self._servers[-1]
        self._servers.append(server)  # before it starts: `stop` may come meanwhile, and finds it
        await server.start()
        self._left.add(task := asyncio.create_task(self._leave(before)))
        task.add_done_callback(self._left.discard)

    async def _leave(self, server: grpc.aio.Server) -> None:
        """Forgets a server that has ended once its last call has; its own end leaves much of it in memory."""
        with suppress(Exception):
            await server.wait_for_termination()
        with suppress(Exception):
            await server.stop(None)
        self._servers.remove(server)

    async def _is_closed(self, port: int) -> bool:
        """Whether every address of the host refuses; not where nothing is known, without descriptors, say."""
        said = set[int]()
        for host in self._hosts:
            for *_, where in await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM):
                try:
                    _, connection = await within(1.0, asyncio.open_connection(str(where[0]), port))
                except (OSError, asyncio.TimeoutError) as error:
                    said.add(getattr(error, "errno", None) or 0)
                else:
                    connection.close()
                    return False
        return errno.ECONNREFUSED in said and said <= {errno.ECONNREFUSED, *_NO_SUCH}
