"""A service model with where it comes from, in a form that can be kept."""

import json
import re
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from framecast.bench.capacity.service import ServiceModel, StepCurve
from framecast.director.model import ServedModel

DOUBTFUL = 0.2  # of a fitted quantity, relative


@dataclass(frozen=True)
class Fitted:
    """A service model with what it was fitted from.

    Attributes:
        service: the costs.
        served: the served model's constants.
        residuals: how far each fitted quantity is off, relative, by name.
    """

    service: ServiceModel
    served: ServedModel
    residuals: dict[str, float] = field(default_factory=dict)

    @property
    def doubts(self) -> list[str]:
        """Why a plan on it is not worth much: a clause each."""
        found = [f"{name} is off by {share:.0%}" for name, share in self.residuals.items() if share > DOUBTFUL]
        points = sorted(self.service.step.points)
        found += [
            f"a step of {more:g} takes less than one of {fewer:g}"
            for (fewer, before), (more, after) in pairwise(points)
            if after < before
        ]
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "service": asdict(self.service),
            "served": json.loads(self.served.to_json()),
            "residuals": self.residuals,
            "step_seconds": {f"{batch:g}": seconds for batch, seconds in self.service.step.points},
        }

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Fitted":
        """The inverse. Raises ValueError when `found` is not one."""
        try:
            service = dict(found["service"])
            curve = StepCurve(tuple((float(batch), float(s)) for batch, s in service.pop("step")["points"]))
            unknown = set(service) - {each.name for each in fields(ServiceModel)}
            if unknown:
                raise ValueError(f"unknown costs {sorted(unknown)}")
            served = ServedModel.from_json(json.dumps(found["served"]))
            return cls(replace(ServiceModel(curve), **service), served, dict(found.get("residuals", {})))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a service model: {error!r}") from None


def read_served_model(repository: Path) -> ServedModel:
    """The constants in a served repository. Raises OSError or ValueError."""
    text = (repository / "denoiser" / "config.pbtxt").read_text(encoding="utf-8")
    match = re.search(r'key: "framecast" value \{ string_value: "((?:[^"\\]|\\.)*)"', text)
    if not match:
        raise ValueError(f"{repository} is not a served repository; run framecast export")
    return ServedModel.from_json(match[1].replace('\\"', '"').replace("\\\\", "\\"))
