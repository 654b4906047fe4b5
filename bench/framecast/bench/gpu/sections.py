"""The sections of the suite by name, imported only when they run."""

import importlib
from dataclasses import dataclass

from framecast.bench.gpu.rows import Deadline, Emit
from framecast.bench.gpu.scale import Scale


@dataclass(frozen=True)
class Section:
    """One part of the suite.

    Attributes:
        name: in the record.
        function: ``module:function``, called with a scale, somewhere to put rows, and a deadline.
        share: of the time that is left when it begins, against the shares of those after it.
    """

    name: str
    function: str
    share: float

    def run(self, scale: Scale, emit: Emit, deadline: Deadline) -> None:
        """Runs it in this process."""
        module, _, function = self.function.partition(":")
        getattr(importlib.import_module(module), function)(scale, emit, deadline)


_HERE = "framecast.bench.gpu"
SECTIONS = (
    Section("environment", f"{_HERE}.environment:run", 15),
    Section("kernels", f"{_HERE}.kernels:run", 110),
    Section("models", f"{_HERE}.jobs:run", 360),
    Section("runtimes", f"{_HERE}.runtimes:run", 15),
)


def section_named(name: str) -> Section:
    """Raises ValueError where there is none."""
    found = [section for section in SECTIONS if section.name == name]
    if not found:
        raise ValueError(f"--only {name} is no section; choose of {', '.join(s.name for s in SECTIONS)}")
    return found[0]
