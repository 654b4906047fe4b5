"""What a finished build is described by: beside the plan on disk, and in a served repository's manifest."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from framecast.export.tensorrt.profiles import Profile


@dataclass(frozen=True)
class PlanTensor:
    """One input or output of a plan: NumPy dtype, and shape with -1 for a dynamic axis."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Request:
    """Everything a plan depends on. Two builds of equal requests are the same build.

    Attributes:
        onnx: digest of the graph and its weights.
        flavour: the TensorRT that builds.
        version: of it.
        target: the GPU built on, or the compute capabilities built for.
        options: fields of `BuildOptions`.
        profiles: input → [min, opt, max], one mapping a profile.
    """

    onnx: str
    flavour: str
    version: str
    target: str
    options: Mapping[str, Any]
    profiles: tuple[Mapping[str, Any], ...]

    def canonical(self) -> str:
        """One text for equal requests."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class Plan:
    """A plan on disk.

    Attributes:
        path: of the plan.
        sha256: of its content.
        request: `Request.canonical` of what was built.
        inputs, outputs: as the network has them.
        seconds: that the build took.
        cached: True when it was built before and only found.
    """

    path: Path
    sha256: str
    request: str
    inputs: tuple[PlanTensor, ...]
    outputs: tuple[PlanTensor, ...]
    seconds: float
    cached: bool = False

    def to_json(self) -> str:
        """For the file beside the plan."""
        kept = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in ("path", "cached")}
        for side in ("inputs", "outputs"):
            kept[side] = [asdict(tensor) for tensor in kept[side]]
        return json.dumps(kept, indent=1) + "\n"

    @classmethod
    def from_json(cls, path: Path, text: str) -> "Plan":
        """The inverse. Raises KeyError, TypeError or ValueError when `text` is something else."""
        kept: dict[str, Any] = json.loads(text)
        for side in ("inputs", "outputs"):
            kept[side] = tuple(PlanTensor(t["name"], t["dtype"], tuple(t["shape"])) for t in kept[side])
        return cls(path=path, cached=True, **kept)


def plain(profile: Profile) -> dict[str, list[list[int]]]:
    """A profile as JSON has it."""
    return {name: [list(shape) for shape in ranges] for name, ranges in sorted(profile.items())}
