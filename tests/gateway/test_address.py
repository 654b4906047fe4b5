"""Where the gateway may listen, and with what."""

import errno
import socket
from pathlib import Path
from typing import Any

import psutil
import pytest

from framecast.client import AsyncVideoClient, ChannelOptions, RetryPolicy, Unavailable
from framecast.client.proxy import is_loopback
from framecast.gateway.address import gateway_address, require_free, require_pair

TLS = Path(__file__).parents[1] / "support" / "tls"  # two certificates for localhost and their keys, for tests alone


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:50051", ("127.0.0.1", 50051)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_host_and_port(address: str, expected: tuple[str, int]) -> None:
    assert gateway_address(address) == expected


@pytest.mark.parametrize(
    "address", ["127.0.0.1:99999", "unix:/tmp/x.sock", "localhost", ":50051", "::1:50051", "a:b", "localhost:-1", ""]
)
def test_what_is_no_address_is_told(address: str) -> None:
    with pytest.raises(ValueError, match="is not host:port with a port up to 65535"):
        gateway_address(address)


def test_one_taken_address_of_a_host_is_enough() -> None:
    """`localhost` has two on most machines, and gRPC would take the other one."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        for host in ("127.0.0.1", "localhost", "0.0.0.0"):  # noqa: S104
            with pytest.raises(OSError, match=f"cannot listen on {host}:{port}; is the port free"):
                require_free(f"{host}:{port}")
    require_free(f"127.0.0.1:{port}")
    require_free("127.0.0.1:0")


def test_a_host_of_others_is_told() -> None:
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1:50051: Cannot assign"):
        require_free("192.0.2.1:50051")  # RFC 5737: nobody's
    with pytest.raises(OSError, match=r"cannot listen on no\.such\.host\.invalid:50051: "):
        require_free("no.such.host.invalid:50051")


def test_a_certificate_needs_its_own_key(tmp_path: Path) -> None:
    before = set(psutil.Process().net_connections())
    require_pair(TLS / "a.pem", TLS / "a.key")
    assert set(psutil.Process().net_connections()) == before, "what was tried is closed again"
    text = tmp_path / "text"
    text.write_text("no certificate")
    for certificate, key in (("a.pem", "b.key"), (text, "a.key"), ("a.pem", text), ("a.pem", "none")):
        with pytest.raises(ValueError, match=r"are no certificate and its key in PEM, without a password: \S") as told:
            require_pair(TLS / certificate, TLS / key)
        assert "\n" not in str(told.value)


def test_a_certificate_is_one_that_grpc_takes(tmp_path: Path) -> None:
    """A byte-order mark is nothing to OpenSSL, and the end of gRPC's."""
    marked = tmp_path / "marked.pem"
    marked.write_bytes(b"\xef\xbb\xbf" + (TLS / "a.pem").read_bytes())
    with pytest.raises(
        ValueError, match=r"marked\.pem is none that gRPC takes; give one with an RSA, .* byte-order mark"
    ):
        require_pair(marked, TLS / "a.key")


async def test_an_encrypted_gateway_answers_who_trusts_its_certificate_and_nobody_else(serve: Any) -> None:
    served = await serve(tls_certificate=TLS / "a.pem", tls_key=TLS / "a.key")
    address = served.address.replace("127.0.0.1", "localhost")
    trusted, other = ((TLS / f"{name}.pem").read_bytes() for name in ("a", "b"))
    async with AsyncVideoClient(address, channel=ChannelOptions(tls=True, root_certificates=trusted)) as client:
        assert (await client.server_info()).max_scenes > 0
    once = RetryPolicy(attempts=1)
    for where, channel, said in (
        (address, ChannelOptions(tls=True, root_certificates=other), "answers, but does not agree on TLS"),
        (served.address, ChannelOptions(tls=True, root_certificates=trusted), "answers, but does not agree on TLS"),
        (address, ChannelOptions(), "Framecast server at"),  # gRPC tells no more than that the other hung up
    ):
        async with AsyncVideoClient(where, channel=channel, retry=once) as client:
            with pytest.raises(Unavailable, match=said):
                await client.server_info(timeout=10)


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True),
        ("[::1]", True),
        ("localhost", True),
        ("192.0.2.7", False),
        ("[::]", False),
        ("gpu-7", False),
    ],
)
def test_who_is_let_in_without_a_token_is_said_where_others_reach_it(host: str, alone: bool) -> None:
    assert is_loopback(host) == alone


def test_a_family_that_the_kernel_lacks_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lacking(socket.socket):
        def __init__(self, family: int, kind: int) -> None:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
            super().__init__(family, kind)

    both = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0))]
    monkeypatch.setattr(socket, "socket", Lacking)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    with pytest.raises(OSError, match="cannot listen on localhost:0: Address family not supported"):
        require_free("localhost:0")
    both.append((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)))  # type: ignore[arg-type]
    require_free("localhost:0")
