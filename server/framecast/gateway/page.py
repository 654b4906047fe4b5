"""The gateway's metrics over HTTP, for Prometheus to read."""

from types import TracebackType

from prometheus_client import CollectorRegistry, start_http_server

LOOPBACK = "127.0.0.1"


def parsed_address(address: str) -> tuple[str, int]:
    """Host and port of ``host:port``, or of a port alone, which is loopback's.

    Raises:
        ValueError: it is neither.
    """
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"--metrics-address {address} is neither host:port nor a port")
    return host.strip("[]") or LOOPBACK, int(port)


class MetricsPage:
    """Serves ``/metrics`` in a thread until closed; a context manager.

    Args:
        address: see `parsed_address`; port 0 takes a free one.
        registry: what is shown.

    Raises:
        ValueError, OSError: the address is none, or cannot be listened on.
    """

    def __init__(self, address: str, registry: CollectorRegistry) -> None:
        self._host, port = parsed_address(address)
        try:
            self._server, self._thread = start_http_server(port, self._host, registry)
        except OSError as error:
            raise OSError(f"cannot listen on {address} for metrics ({error.strerror}); is the port taken?") from error

    @property
    def url(self) -> str:
        """Of the page."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._server.server_port}/metrics"

    def close(self) -> None:
        """Stops listening and waits for the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> "MetricsPage":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
