"""Whether a port is closed: every address of a host counts."""

import socket
from typing import Any

import pytest

from framecast.gateway.listening import Listening


def _listening(host: str) -> Any:
    def unused(*_: Any) -> Any:
        raise AssertionError("nobody listens in this test")

    return Listening(unused, unused, host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "::", ""])  # noqa: S104
async def test_a_port_is_closed_when_no_address_of_the_host_takes_anybody(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not await _listening(host)._is_closed(port)
    assert await _listening(host)._is_closed(port)


async def test_two_addresses_refuse_each_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """`localhost` has two on most machines, of which asyncio makes one error without a number."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    ask = socket.getaddrinfo

    def both(host: str, *rest: Any, **options: Any) -> Any:
        if host != "localhost":
            return ask(host, *rest, **options)
        return [*ask("::1", *rest, **options), *ask("127.0.0.1", *rest, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    assert await _listening("localhost")._is_closed(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not await _listening("localhost")._is_closed(port)


async def test_without_descriptors_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    async def none_left(*_: Any) -> Any:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("asyncio.open_connection", none_left)
    assert not await _listening("127.0.0.1")._is_closed(9)
