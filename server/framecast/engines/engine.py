"""The engine interface: named arrays in, named arrays out, whatever runtime computes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]


@dataclass(frozen=True)
class TensorInfo:
    """One input or output of a graph. Dynamic axes are names, fixed ones are ints."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


class Engine(Protocol):
    """A compiled graph. `run` is safe to call from several threads."""

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """What `run` takes."""
        ...

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """What `run` returns."""
        ...

    def run(self, inputs: Mapping[str, Array], outputs: tuple[str, ...] | None = None) -> dict[str, Array]:
        """Computes `outputs` (all of them by default) from every input."""
        ...


@dataclass(frozen=True)
class EngineOptions:
    """How an engine may use the machine.

    Attributes:
        threads: CPU threads of one `run`; 0 means every core this process may use.
    """

    threads: int = 0
