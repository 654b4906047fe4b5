"""Where the gateway listens and with which certificate: looked at before anything is started."""

import errno
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc


def gateway_address(address: str) -> tuple[str, int]:
    """Host, without brackets, and port of ``host:port``.

    Raises:
        ValueError: it is none.
    """
    host, _, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not host or (":" in host and not bracketed) or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"--address {address} is not host:port with a port up to 65535; brackets go around IPv6")
    return host.strip("[]"), int(port)


def require_free(address: str) -> None:
    """Nobody listens on any address of the host: gRPC is content when it gets one of them.

    Raises:
        ValueError, OSError: the address is none, is not this machine's, or is taken.
    """
    host, port = gateway_address(address)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise OSError(f"cannot listen on {address}: {error.strerror}") from error
    refused = [why for family, _, _, _, where in found if (why := _refused(family, where)) is not None]
    if taken := [why for why in refused if why.errno == errno.EADDRINUSE]:
        raise OSError(f"cannot listen on {address}; is the port free?") from taken[0]
    if len(refused) == len(found):
        raise OSError(f"cannot listen on {address}: {refused[0].strerror}") from refused[0]


def require_pair(certificate: Path, key: Path) -> None:
    """A certificate and its key, both PEM, that gRPC takes too: its TLS library reads less than OpenSSL.

    Raises:
        ValueError: a file cannot be read, they do not belong together, or gRPC does not take them.
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=str)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise ValueError(
            f"--tls-certificate {certificate} and --tls-key {key} are no certificate and its key in PEM, without a "
            f"password: {reason}"
        ) from error
    with ThreadPoolExecutor(1) as pool:
        probe = grpc.server(pool)
        try:
            probe.add_secure_port("127.0.0.1:0", credentials(certificate, key))
        except RuntimeError as error:
            raise ValueError(
                f"--tls-certificate {certificate} is none that gRPC takes; give one with an RSA, P-256 or P-384 key, "
                "in PEM without a byte-order mark"
            ) from error
        probe.start()  # or its port would stay open
        probe.stop(None).wait()


def credentials(certificate: Path, key: Path) -> grpc.ServerCredentials:
    """Of a server with such a pair, `require_pair`. Raises OSError."""
    return grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])


def _refused(family: int, where: object) -> OSError | None:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:  # a kernel may lack the family that names resolve to
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what a server before left is no hindrance
            probe.bind(where)  # type: ignore[arg-type]
    except OSError as error:
        return error
    return None
