"""The engine interface: named arrays in, named arrays out, whatever runtime computes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from framecast.errors import InvalidRepository

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


def load_engine(kind: str, path: Path, options: EngineOptions | None = None) -> Engine:
    """Loads the engine at `path` with the runtime named `kind`, importing that runtime only now.

    Raises:
        InvalidRepository: no such runtime.
    """
    options = options or EngineOptions()
    if kind == "onnxruntime":
        from framecast.engines.onnxruntime import OnnxRuntimeEngine

        return OnnxRuntimeEngine(path, options)
    raise InvalidRepository(f"{path.name} asks for the engine {kind!r}; this build has onnxruntime.")
