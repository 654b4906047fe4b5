"""The status that a server sent, where grpc.aio would put its own in its place.

When a call ends while a request is being written, grpc.aio may replace the status that has already come by INTERNAL
"Internal error from Core" (grpc/grpc#36066), and a refusal would look like a fault. `SentStatus` notes every status
of a call as it is set, and prefers the server's.
"""

from collections.abc import Coroutine
from typing import Any

import grpc

_WRITE_FAILED = "Internal error from Core"


class SentStatus:
    """Watches `call`, a grpc.aio call that has just been started."""

    def __init__(self, call: Any) -> None:
        self._sent: grpc.aio.AioRpcError | None = None
        call.add_done_callback(self._note)

    def prefer(self, error: grpc.aio.AioRpcError) -> grpc.aio.AioRpcError:
        """`error`, or the server's status if `error` only says that a write failed."""
        return self._sent if self._sent is not None and error.details() == _WRITE_FAILED else error

    def _note(self, call: Any) -> None:
        details = _now(call.details())
        code = _now(call.code())
        if details != _WRITE_FAILED and code not in (None, grpc.StatusCode.OK):
            trailing = _now(call.trailing_metadata())
            self._sent = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details)


def _now(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that has nothing to wait for: the call is done."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        return finished.value
    coroutine.close()
    return None
