"""What a load asks for: which videos, in which order, and traces of real demand."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from framecast.bench.arrivals import Times
from framecast.client import AsyncVideoClient, Event, Scene, VideoOptions


@dataclass(frozen=True)
class Ask:
    """One video: a story for the planner, or scenes."""

    options: VideoOptions
    story: str | None = None
    scenes: tuple[Scene, ...] = ()


#: Starts a video; the generator yields the client's events.
Generate = Callable[[Ask], AsyncGenerator[Event, None]]


@dataclass(frozen=True)
class Workload:
    """Videos in turn, each with a seed of its own, so that no two are the same work by accident.

    Attributes:
        asks: what is asked for; after the last comes the first again.
        seed: of the first video; the next has seed + 1.
    """

    asks: tuple[Ask, ...]
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.asks:
            raise ValueError("a workload needs at least one video")

    def ask(self, index: int) -> Ask:
        """Video number `index`."""
        ask = self.asks[index % len(self.asks)]
        return replace(ask, options=replace(ask.options, seed=self.seed + index, request_id=""))


def generator(client: AsyncVideoClient, timeout: float | None = None) -> Generate:
    """Videos by a real client. Give it one that does not retry: a refusal is a result.

    Args:
        client: connected or not.
        timeout: seconds for a video.
    """
    return lambda ask: client.generate(ask.story, scenes=ask.scenes or None, options=ask.options, timeout=timeout)


def read_trace(path: Path, defaults: VideoOptions) -> tuple[Times, Workload]:
    """A trace of demand: JSON lines, each ``{"at": seconds, "story": "…"}`` or ``{"at": seconds, "scenes":
    [{"prompt": "…", "seconds": 2}]}``, with width, height, fps and steps where they differ from `defaults`.

    Raises:
        ValueError: a line is not like that; it is named.
    """
    times: list[float] = []
    asks: list[Ask] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
            times.append(float(fields["at"]))
            asks.append(_ask(fields, defaults))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}:{number}: {error!r} in a trace's line") from None
    if not times or times != sorted(times) or times[0] < 0:
        raise ValueError(f"{path}: a trace needs lines whose times ascend from 0 or later")
    return np.asarray(times), Workload(tuple(asks))


def _ask(fields: Mapping[str, Any], defaults: VideoOptions) -> Ask:
    sizes: Any = {name: int(fields[name]) for name in ("width", "height", "fps", "steps") if name in fields}
    scenes: Sequence[Mapping[str, Any]] = fields.get("scenes", ())
    if ("story" in fields) == bool(scenes):
        raise ValueError("either story or scenes")
    return Ask(
        replace(defaults, **sizes),
        fields.get("story"),
        tuple(Scene(str(scene["prompt"]), float(scene.get("seconds", 0.0))) for scene in scenes),
    )
