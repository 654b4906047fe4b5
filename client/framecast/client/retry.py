"""When a failed call is tried again."""

import math
import random
import time
from dataclasses import dataclass

from framecast.client.errors import FramecastClientError, InvalidArgument, Overloaded, Unavailable

_LONGEST = 1e9  # seconds, 31 years; gRPC's clock ends at 2**63 nanoseconds


@dataclass(frozen=True)
class RetryPolicy:
    """At most `attempts` tries in all; waits grow from `first_delay` by `factor`, seconds, each jittered by ±20 %.

    A server's pushback replaces the computed wait unless it is longer than `longest_pushback` seconds; then the
    caller is told instead. Only a call that has delivered no chunk is tried again.
    """

    attempts: int = 3
    first_delay: float = 0.2
    factor: float = 3.0
    longest_pushback: float = 30.0

    def delay(self, attempt: int, error: FramecastClientError, deadline: "Deadline") -> float | None:
        """Seconds to wait before the try after `attempt` (counted from 1), or None to give up."""
        if attempt >= self.attempts or not isinstance(error, Overloaded | Unavailable):
            return None
        wait = self.first_delay * self.factor ** (attempt - 1) * random.uniform(0.8, 1.2)  # noqa: S311
        if isinstance(error, Overloaded) and error.retry_after is not None:
            if not 0 <= error.retry_after <= self.longest_pushback:
                return None
            wait = error.retry_after * random.uniform(1.0, 1.2)  # noqa: S311  (never earlier than asked)
        remaining = deadline.remaining()
        return None if remaining is not None and wait >= remaining else wait


class Deadline:
    """One deadline over all tries of a call.

    Args:
        timeout: seconds from now, or None for no deadline; what is longer than gRPC counts, as infinity, is none.

    Raises:
        InvalidArgument: it is no number.
    """

    def __init__(self, timeout: float | None) -> None:
        if timeout is not None and (not hasattr(timeout, "__float__") or math.isnan(timeout)):
            raise InvalidArgument(f"timeout: {timeout!r} is no number of seconds; None waits for ever")
        self._end = None if timeout is None or timeout > _LONGEST else time.monotonic() + float(timeout)

    def remaining(self) -> float | None:
        """Seconds left, never negative; None without a deadline."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())
