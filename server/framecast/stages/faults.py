"""How an error of ours crosses Triton, which knows only a few codes: its class is named in the message."""

import re

from framecast import errors
from framecast.errors import FramecastError, InvalidRequest, StageFailed

_TAG = re.compile(r"\[framecast:(\w+)] (.*)", re.DOTALL)


def tagged(error: FramecastError) -> str:
    """The message a stage sends."""
    return f"[framecast:{type(error).__name__}] {error}"


def untagged(message: str) -> FramecastError | None:
    """The error that `message`, whatever Triton put around it, carries; None when it is not one of ours."""
    match = _TAG.search(message)
    if match is None:
        return None
    kind, text = getattr(errors, match[1], StageFailed), match[2]
    if kind is InvalidRequest:
        field, _, remedy = text.partition(": ")
        return InvalidRequest(field, remedy)
    if isinstance(kind, type) and issubclass(kind, FramecastError):
        return kind(text)
    return StageFailed(text)
