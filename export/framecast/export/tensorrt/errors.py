"""The error of this package."""

from framecast.errors import FramecastError


class EngineBuildError(FramecastError):
    """A plan cannot be built; one sentence with the file, the node where one is known, and the reason."""
