"""The error tree as gRPC statuses: each class once, and nothing that a backend wrote."""

from __future__ import annotations

import logging
import math
from typing import Any, NamedTuple, NoReturn

import grpc

from framecast.client.errors import PUSHBACK_KEY
from framecast.errors import (
    AtWork,
    Cancelled,
    ContentRefused,
    CorruptOutput,
    DeadlineTooShort,
    FramecastError,
    InvalidRepository,
    InvalidRequest,
    Overloaded,
    PlanningFailed,
    StageFailed,
    StageUnavailable,
    Unauthenticated,
)

logger = logging.getLogger(__name__)

_LONGEST = 600  # characters of a status: a header, of which gRPC takes 8 to 16 KiB with every character as up to 12
REVIEW_KEY = "framecast-review"  # the category of what is not filmed

STATUS: dict[type[FramecastError], grpc.StatusCode] = {
    FramecastError: grpc.StatusCode.INTERNAL,
    ContentRefused: grpc.StatusCode.PERMISSION_DENIED,
    InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    AtWork: grpc.StatusCode.RESOURCE_EXHAUSTED,
    DeadlineTooShort: grpc.StatusCode.DEADLINE_EXCEEDED,
    Cancelled: grpc.StatusCode.CANCELLED,
    StageUnavailable: grpc.StatusCode.UNAVAILABLE,
    StageFailed: grpc.StatusCode.INTERNAL,
    PlanningFailed: grpc.StatusCode.INTERNAL,
    CorruptOutput: grpc.StatusCode.DATA_LOSS,
    InvalidRepository: grpc.StatusCode.INTERNAL,  # start-up only; here so that no class is without a status
}


class Status(NamedTuple):
    """What goes over the wire when a call fails."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str], ...]


def status_of(error: Exception) -> Status:
    """The status of `error`; anything outside our tree is INTERNAL and its text stays here."""
    if not isinstance(error, FramecastError):
        return Status(grpc.StatusCode.INTERNAL, "the server met an unexpected error; its log says which", ())
    code = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    metadata: tuple[tuple[str, str], ...] = ()
    if isinstance(error, Overloaded):
        metadata = ((PUSHBACK_KEY, str(math.ceil(error.retry_after * 1000))),)
    if isinstance(error, ContentRefused):
        metadata = ((REVIEW_KEY, error.category),)
    return Status(code, cut(str(error), _LONGEST), metadata)


def cut(text: str, most: int) -> str:
    """At most so many characters of `text`, the last of which says that there were more."""
    return text if len(text) <= most else text[: most - 1] + "…"


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: Exception, request_id: str) -> NoReturn:
    """Ends the call with the status of `error`, and logs it: with its traceback when the fault is ours."""
    status = status_of(error)
    ours = status.code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS, grpc.StatusCode.UNKNOWN)
    logger.log(
        logging.ERROR if ours else logging.INFO,
        "call refused or failed request_id=%s status=%s details=%r",
        request_id or "-",
        status.code.name,
        # What a review found is in its words, and they are not for the log.
        error.category if isinstance(error, ContentRefused) else status.details[:200],
        exc_info=error if ours else None,
    )
    await context.abort(status.code, status.details, status.trailing_metadata)
    raise AssertionError("abort always raises")
