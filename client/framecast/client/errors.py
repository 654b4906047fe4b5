"""Every error a client raises on purpose.

    FramecastClientError
    ├── InvalidArgument     the request is wrong; the message names the field   INVALID_ARGUMENT
    ├── Unauthenticated     no valid token                                      UNAUTHENTICATED
    ├── PermissionDenied    not allowed; by content review, say                 PERMISSION_DENIED
    ├── Overloaded          no room now; `retry_after` says when                RESOURCE_EXHAUSTED
    ├── DeadlineExceeded    the deadline has passed or cannot be met            DEADLINE_EXCEEDED
    ├── Unavailable         the server cannot be reached or is not serving      UNAVAILABLE
    ├── Cancelled           the client or the server ended the call             CANCELLED
    ├── DataLoss            the video is damaged or incomplete                  DATA_LOSS
    └── ServerError         anything else went wrong in the server              INTERNAL and the rest

Each carries one sentence and the gRPC status `code`.
"""

from typing import Any

import grpc

from framecast.client.proxy import proxy_variable

PUSHBACK_KEY = "grpc-retry-pushback-ms"


class FramecastClientError(Exception):
    """Base of the tree above.

    Args:
        message: one sentence.
        code: the gRPC status; the class's own when left out.
    """

    default_code: grpc.StatusCode = grpc.StatusCode.UNKNOWN

    def __init__(self, message: str, code: grpc.StatusCode | None = None) -> None:
        super().__init__(message)
        self.code: grpc.StatusCode = code or self.default_code


class InvalidArgument(FramecastClientError):
    """The request is wrong."""

    default_code = grpc.StatusCode.INVALID_ARGUMENT


class Unauthenticated(FramecastClientError):
    """No valid token came with the call."""

    default_code = grpc.StatusCode.UNAUTHENTICATED


class PermissionDenied(FramecastClientError):
    """This is not allowed: content review does not let the text pass, say."""

    default_code = grpc.StatusCode.PERMISSION_DENIED


class Overloaded(FramecastClientError):
    """The server has no room now.

    Attributes:
        retry_after: seconds until the server wants to be asked again; -1: not at all; None: it did not say.
    """

    default_code = grpc.StatusCode.RESOURCE_EXHAUSTED

    def __init__(self, message: str, code: grpc.StatusCode | None = None, *, retry_after: float | None = None) -> None:
        super().__init__(message, code)
        self.retry_after = retry_after


class DeadlineExceeded(FramecastClientError):
    """The deadline has passed or cannot be met."""

    default_code = grpc.StatusCode.DEADLINE_EXCEEDED


class Unavailable(FramecastClientError):
    """The server cannot be reached or is not serving."""

    default_code = grpc.StatusCode.UNAVAILABLE


class Cancelled(FramecastClientError):
    """The client was closed, or the server stopped, while the call ran."""

    default_code = grpc.StatusCode.CANCELLED


class DataLoss(FramecastClientError):
    """The video is damaged or incomplete."""

    default_code = grpc.StatusCode.DATA_LOSS


class ServerError(FramecastClientError):
    """Something went wrong in the server."""

    default_code = grpc.StatusCode.INTERNAL


_BY_CODE: dict[grpc.StatusCode, type[FramecastClientError]] = {
    kind.default_code: kind
    for kind in (InvalidArgument, Unauthenticated, PermissionDenied, DeadlineExceeded, Unavailable, Cancelled, DataLoss)
}


# Texts of gRPC's own (sockets, resolvers) that no Framecast server sends.
_NO_TLS = ("ssl handshake", "certificate", "hostname verification", "peer name")
_CANNOT_CONNECT = (
    *("failed to connect to all addresses", "connection refused", "dns resolution", "errors resolving"),
    *("hostname lookup", "handshake"),
)
_CONNECTION_LOST = (
    *("socket closed", "stream removed", "connection reset", "broken pipe", "ping timeout", "keepalive"),
    *("goaway", "cancelling all calls"),
)


def from_rpc(error: grpc.RpcError, address: str) -> FramecastClientError:
    """The tree's error for a failed call to `address`."""
    code = error.code()
    details = (error.details() or "").strip()
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in details:
        return ServerError("a message is larger than max_message_bytes allows", code)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return Overloaded(
            details or "the server has no room for this request now",
            retry_after=_pushback_seconds(error.trailing_metadata()),
        )
    if code is grpc.StatusCode.UNAVAILABLE and any(mark in details.lower() for mark in _NO_TLS):
        return Unavailable(
            f"{address} answers, but does not agree on TLS: whether it is spoken, whose certificate is trusted, and "
            "which host it names"
        )
    if code is grpc.StatusCode.UNAVAILABLE and any(mark in details.lower() for mark in _CANNOT_CONNECT):
        proxy = proxy_variable(address)
        through = f" through the proxy of {proxy}; no_proxy takes hosts out" if proxy else ""
        return Unavailable(f"cannot reach a Framecast server at {address}{through}")
    if code is grpc.StatusCode.UNAVAILABLE and any(mark in details.lower() for mark in _CONNECTION_LOST):
        return Unavailable(f"the connection to the Framecast server at {address} was lost")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED and (not details or "Deadline Exceeded" in details):
        return DeadlineExceeded("the deadline passed before the call was done")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return ServerError(f"the server at {address} does not offer this Framecast service", code)
    return _BY_CODE.get(code, ServerError)(details or f"the server ended the call with {code.name}", code)


def _pushback_seconds(metadata: Any) -> float | None:
    for key, value in metadata or ():
        if key == PUSHBACK_KEY:
            try:
                milliseconds = int(value)
            except ValueError:
                milliseconds = -1  # gRFC A6: what cannot be read means "do not retry"
            return milliseconds / 1000 if milliseconds >= 0 else -1.0
    return None
