"""Service-level objectives of a video."""

import math
from dataclasses import dataclass, fields

from framecast.bench.sample import Sample


@dataclass(frozen=True)
class Slo:
    """Upper bounds, None: none. A failed video meets no objective.

    Attributes:
        ttff: seconds to the first frame.
        latency: seconds to the end.
        rtf: seconds of work a second of video: at most 1 plays without waiting.
        interval: the longest gap between chunks, seconds.
    """

    ttff: float | None = None
    latency: float | None = None
    rtf: float | None = None
    interval: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Slo":
        """Reads ``ttff=2,latency=10``. Raises ValueError that names what it does not understand."""
        names, bounds = [field.name for field in fields(cls)], {}
        for part in filter(None, text.split(",")):
            name, _, value = part.partition("=")
            if name.strip() not in names:
                raise ValueError(f"--slo: {name.strip()!r} is none of {', '.join(names)}")
            try:
                bound = float(value)
            except ValueError:
                bound = math.nan
            if not (math.isfinite(bound) and bound > 0):
                raise ValueError(f"--slo: {part!r} is not NAME=NUMBER with a number above 0")
            bounds[name.strip()] = bound
        return cls(**bounds)

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) is not None for field in fields(self))

    def met(self, sample: Sample) -> bool:
        """Whether the video met every bound, measured from when it was meant to be sent."""
        if sample.error or sample.ttff is None:
            return False
        measured = (
            (self.ttff, sample.ttff),
            (self.latency, sample.latency),
            (self.rtf, sample.rtf),
            (self.interval, max(sample.chunk_intervals, default=0.0)),
        )
        return all(bound is None or (value is not None and value <= bound) for bound, value in measured)
