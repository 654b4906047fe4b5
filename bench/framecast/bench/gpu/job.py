"""What a process of its own prepares beside others and then measures alone."""

from collections.abc import Callable
from typing import Protocol

from framecast.bench.gpu.rows import Emit
from framecast.bench.gpu.scale import Scale

Turn = Callable[[], None]


class Job(Protocol):
    """One program to compile and to measure."""

    @property
    def name(self) -> str:
        """On the command line and in rows."""

    @property
    def seconds(self) -> float:
        """That measuring takes on a GPU, about; preparing comes on top."""

    @property
    def gigabytes(self) -> float:
        """Of a GPU's memory that it holds at full scale from when it is prepared until its end, about."""

    def run(self, scale: Scale, emit: Emit, turn: Turn) -> None:
        """Prepares and checks, waits for its turn, and measures.

        Args:
            scale: see `Scale`.
            emit: takes its rows; what is wrong or cannot be measured here has one that says so.
            turn: returns when nothing else uses the device.
        """
