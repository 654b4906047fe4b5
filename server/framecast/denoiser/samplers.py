"""Samplers as tables.

Every step is ``next = a · latents + b · output + c · noise + memory`` of ``output = unet(scale · latents, t)``, where
the memory is ``p · latents + q · output`` of the step before.

The exporter derives the table from the bundle's own diffusers scheduler (`framecast.export.samplers`); serving reads
it and needs neither torch nor the scheduler's code.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from framecast.errors import InvalidRepository


@dataclass(frozen=True)
class Schedule:
    """The steps of one step count, N.

    Attributes:
        initial_scale: standard deviation of the noise that the first step takes.
        timesteps: N numbers given to the UNet.
        coefficients: N rows of (scale, a, b).
        noise: N numbers c; empty when no step draws noise.
        memory: N rows of (p, q), what each step keeps for the next; empty when none does.
    """

    initial_scale: float
    timesteps: tuple[float, ...]
    coefficients: tuple[tuple[float, float, float], ...]
    noise: tuple[float, ...] = ()
    memory: tuple[tuple[float, float], ...] = ()

    @property
    def steps(self) -> int:
        """N."""
        return len(self.timesteps)

    def extended(self, step: int) -> tuple[float, ...]:
        """(scale, a, b, c, p, q) of a step."""
        c = self.noise[step] if self.noise else 0.0
        return (*self.coefficients[step], c, *(self.memory[step] if self.memory else (0.0, 0.0)))


@dataclass(frozen=True)
class SamplerTable:
    """Schedules by step count, derived from the scheduler class named `scheduler`."""

    scheduler: str
    schedules: Mapping[int, Schedule]

    @property
    def extended(self) -> bool:
        """Some step draws noise or looks back, so that the step graph needs both as inputs."""
        return any(schedule.noise or schedule.memory for schedule in self.schedules.values())

    def save(self, path: Path) -> None:
        """Writes JSON."""
        path.write_text(json.dumps(asdict(self), separators=(",", ":")) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "SamplerTable":
        """Reads what `save` wrote. Raises InvalidRepository."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            schedules = {
                int(steps): Schedule(
                    schedule["initial_scale"],
                    tuple(schedule["timesteps"]),
                    tuple((scale, a, b) for scale, a, b in schedule["coefficients"]),
                    tuple(schedule.get("noise", ())),
                    tuple((p, q) for p, q in schedule.get("memory", ())),
                )
                for steps, schedule in fields["schedules"].items()
            }
            return cls(fields["scheduler"], schedules)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidRepository(f"{path} is not a sampler table; export the bundle again.") from error


def initial_noise(seed: int, shape: tuple[int, ...], scale: float) -> NDArray[np.float32]:
    """Gaussian noise, a function of `seed` and `shape` alone, so that the same request gives the same frames."""
    generator = np.random.Generator(np.random.Philox(seed))
    return generator.standard_normal(shape, dtype=np.float32) * np.float32(scale)


def step_noise(seed: int, step: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Gaussian noise that a step draws, a function of `seed`, `step` and `shape` alone."""
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, step + 1])))
    return generator.standard_normal(shape, dtype=np.float32)
