"""Every error the served system raises on purpose.

    FramecastError
    ├── InvalidRequest      the caller's input is wrong; names the field        INVALID_ARGUMENT
    ├── ContentRefused      what is asked for is not filmed                     PERMISSION_DENIED
    ├── Unauthenticated     no valid credential                                 UNAUTHENTICATED
    ├── Overloaded          no room now; says when to try again                 RESOURCE_EXHAUSTED
    │   └── AtWork          the same request id is at work
    ├── DeadlineTooShort    cannot be met, or has passed                        DEADLINE_EXCEEDED
    ├── Cancelled           the caller went away                                CANCELLED
    ├── StageUnavailable    a stage or its server is down                       UNAVAILABLE
    ├── StageFailed         a stage answered with an error                      INTERNAL
    ├── PlanningFailed      the planner wrote no usable scene                   INTERNAL
    ├── CorruptOutput       NaN or Inf where pictures should be                 DATA_LOSS
    └── InvalidRepository   a served repository or artifact is not what its manifest says   (start-up only)

The gateway maps each class to its gRPC status once (`framecast.gateway.status`). Messages are one sentence
and safe to show to a caller; text from a backend goes to the log, never to the wire.
"""


class FramecastError(Exception):
    """Base of the tree above."""


class InvalidRequest(FramecastError):
    """The caller's input is wrong.

    Args:
        field: the name of the field as the caller wrote it, for example ``scene.seconds``.
        remedy: what is wrong and what would be right, one clause.
    """

    def __init__(self, field: str, remedy: str) -> None:
        super().__init__(f"{field}: {remedy}")
        self.field = field
        self.remedy = remedy

    def __reduce__(self) -> tuple[type["InvalidRequest"], tuple[str, str]]:
        return InvalidRequest, (self.field, self.remedy)


class ContentRefused(FramecastError):
    """Content review does not let it pass.

    Args:
        message: one sentence for the caller, which begins with the field.
        category: of the policy, one word.
    """

    def __init__(self, message: str, category: str = "") -> None:
        super().__init__(message)
        self.category = category


class Unauthenticated(FramecastError):
    """No valid credential came with the call."""


class Overloaded(FramecastError):
    """There is no room for another video now.

    Args:
        message: one sentence for the caller.
        retry_after: seconds until a retry makes sense.
    """

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AtWork(Overloaded):
    """The same request id is at work or waiting."""


class DeadlineTooShort(FramecastError):
    """The caller's deadline has passed or cannot be met."""


class Cancelled(FramecastError):
    """The caller went away; the work was dropped."""


class StageUnavailable(FramecastError):
    """A stage, or the Triton server that runs it, is down. Worth a retry."""


class StageFailed(FramecastError):
    """A stage answered with an error of its own."""


class PlanningFailed(FramecastError):
    """The planner wrote no usable scene."""


class CorruptOutput(FramecastError):
    """A stage produced NaN or Inf."""


class InvalidRepository(FramecastError):
    """A served repository or one of its files is not what its manifest says."""
