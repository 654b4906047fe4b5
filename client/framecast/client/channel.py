"""How a channel to the server is made: limits, keepalive, TLS."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from framecast.client.errors import InvalidArgument
from framecast.client.proxy import direct

DEFAULT_ADDRESS = "127.0.0.1:50051"
_NEVER = 2**31 - 1  # milliseconds, of gRPC


@dataclass(frozen=True)
class ChannelOptions:
    """Settings of a connection.

    Attributes:
        tls: encrypt; the server's certificate is checked.
        root_certificates: PEM bytes to check it against; None uses the system's roots.
        keepalive_seconds: a ping goes out after this long without traffic.
        keepalive_timeout_seconds: a connection whose ping is not answered this fast is dead.
        max_message_bytes: the largest chunk accepted.

    Raises:
        InvalidArgument: a time is not above 0.
    """

    tls: bool = False
    root_certificates: bytes | None = None
    keepalive_seconds: float = 20.0
    keepalive_timeout_seconds: float = 10.0
    max_message_bytes: int = 64 * 2**20

    def __post_init__(self) -> None:
        for name in ("keepalive_seconds", "keepalive_timeout_seconds"):
            if not getattr(self, name) > 0:
                raise InvalidArgument(f"{name}: {getattr(self, name)} must be above 0 seconds; infinity is never")

    @classmethod
    def secured(cls, tls: bool, ca_file: Path | None) -> "ChannelOptions":
        """Of a command's ``--tls`` and ``--ca-file``, which implies it. Raises InvalidArgument for no such file."""
        try:
            roots = ca_file.read_bytes() if ca_file else None
        except OSError as error:
            raise InvalidArgument(f"ca_file: {ca_file}: {error.strerror or error}") from error
        if roots is not None and b"-----BEGIN CERTIFICATE-----" not in roots:
            raise InvalidArgument(f"ca_file: {ca_file} has no certificate in PEM")
        return cls(tls=tls or roots is not None, root_certificates=roots)

    def open(self, address: str, transport: Any = grpc) -> Any:
        """A channel to host:port of this module's, ``grpc`` or ``grpc.aio``; it connects with its first call.

        No proxy stands before this machine's own addresses, whatever the environment says.
        """
        arguments = [*self.arguments, *direct(address)]
        if self.tls:
            credentials = grpc.ssl_channel_credentials(self.root_certificates)
            return transport.secure_channel(address, credentials, options=arguments)
        return transport.insecure_channel(address, options=arguments)

    @property
    def arguments(self) -> list[tuple[str, int]]:
        """gRPC channel arguments."""
        return [
            ("grpc.max_receive_message_length", self.max_message_bytes),
            ("grpc.max_send_message_length", self.max_message_bytes),
            ("grpc.keepalive_time_ms", _milliseconds(self.keepalive_seconds)),
            ("grpc.keepalive_timeout_ms", _milliseconds(self.keepalive_timeout_seconds)),
            ("grpc.http2.max_pings_without_data", 0),
            # Retries are ours: gRPC's own know nothing of chunks that were already delivered.
            ("grpc.enable_retries", 0),
        ]


def _milliseconds(seconds: float) -> int:
    return int(min(seconds * 1000, _NEVER))


def require_address(address: str) -> None:
    """Raises InvalidArgument for what is not host:port, or a name in gRPC's own syntax."""
    if address.startswith(("http://", "https://")):
        raise InvalidArgument(f"address: {address} is a page's; write host:port, as in localhost:50051")
    if not address.isprintable():
        raise InvalidArgument(f"address: {address!a} has characters that no address has")
    if ":" not in address:
        raise InvalidArgument(f"address: {address or 'it'} has no port; write host:port, as in localhost:50051")


def sendable(token: str) -> bool:
    """Whether gRPC sends such a token."""
    return token.isascii() and token.isprintable()


def call_metadata(token: str) -> tuple[tuple[str, str], ...]:
    """What goes with every call: the token, where there is one.

    Raises:
        InvalidArgument: gRPC does not send such a token.
    """
    if not sendable(token):
        raise InvalidArgument("token: has characters that cannot be sent, as a line's end; take them off")
    return (("authorization", f"Bearer {token}"),) if token else ()
