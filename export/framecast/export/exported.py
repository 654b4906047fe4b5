"""What exporting one graph gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from framecast.engines.engine import Engine


@dataclass(frozen=True)
class Exported:
    """A graph that was written and found equal to its module.

    Attributes:
        engine: loaded from the file; None where this machine cannot compute its precision.
        opset: of the file.
        parity: see `framecast.export.parity`.
    """

    engine: Engine | None
    opset: int
    parity: Mapping[str, float] = field(default_factory=dict)
