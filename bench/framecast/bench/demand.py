"""Demand from files of JSON lines, one video each: traces of when it was asked for, and mixes of videos by weight."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from framecast.bench.arrivals import Times
from framecast.bench.kind import Kind
from framecast.bench.workload import Ask, Workload
from framecast.client import Scene, VideoOptions

_SIZES = ("width", "height", "fps", "steps")
_VIDEO = (*_SIZES, "story", "scenes", "scene_seconds")


def read_trace(path: Path, defaults: VideoOptions, seed: int = 1) -> tuple[Times, Workload]:
    """A trace of demand: ``{"at": seconds, "story": "…"}`` or ``{"at": seconds, "scenes": [{"prompt": "…",
    "seconds": 2}]}``, with width, height, fps and steps where they differ from `defaults`. `seed` is the first video's.

    Raises:
        ValueError: a line is not like that; it is named.
    """
    lines = list(_lines(path, "at", None, defaults))
    times = [at for at, _, _ in lines]
    if not times or times != sorted(times) or times[0] < 0:
        raise ValueError(f"{path}: a trace needs lines whose times ascend from 0 or later")
    return np.asarray(times), Workload(tuple(ask for _, ask, _ in lines), seed)


def read_mix(path: Path, defaults: VideoOptions, videos: int, seed: int = 1) -> Workload:
    """`videos` videos drawn independently from a mix: a trace's lines with ``"weight"``, 1 where it is left out, in
    place of ``"at"``. `seed` is of the draw and of the first video.

    Raises:
        ValueError: a line is not like that; it is named.
    """
    weights, asks, _ = zip(*_mix(path, defaults), strict=True)
    order = np.random.default_rng(seed).choice(len(asks), videos, p=np.array(weights) / sum(weights))
    return Workload(tuple(asks[index] for index in order), seed)


def read_kinds(path: Path) -> list[tuple[float, Kind]]:
    """(weight, kind) of each line of a mix. A line with a story says what the planner is expected to write:
    ``"scene_seconds": [2, 2, 2]``.

    Raises:
        ValueError: a line is not like that; it is named.
    """
    kinds = []
    for weight, ask, fields in _mix(path, VideoOptions()):
        kind = ask.kind
        if kind.planned:
            if "scene_seconds" not in fields:
                raise ValueError(
                    f"{path}: a story's line needs scene_seconds, the lengths that the planner will give it"
                )
            kind = replace(kind, scene_seconds=tuple(fields["scene_seconds"]))
        kinds.append((weight, kind))
    return kinds


def _mix(path: Path, defaults: VideoOptions) -> list[tuple[float, Ask, Mapping[str, Any]]]:
    lines = list(_lines(path, "weight", 1.0, defaults))
    if not lines or min(weight for weight, _, _ in lines) < 0 or not any(weight for weight, _, _ in lines):
        raise ValueError(f"{path}: a mix needs lines whose weights are 0 or more, and one of them more")
    return lines


def _lines(
    path: Path, number: str, missing: float | None, defaults: VideoOptions
) -> Iterator[tuple[float, Ask, Mapping[str, Any]]]:
    """(the field `number`, the video, all fields) of each line that is not empty."""
    for row, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), 1):  # a text may hold other line ends
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
            _known(fields, (number, *_VIDEO))
            value = float(fields[number] if missing is None else fields.get(number, missing))
            ask = _ask(fields, defaults)
            lengths = [*(scene.seconds for scene in ask.scenes), *_expected(fields)]
            if not all(map(math.isfinite, (value, *lengths))):
                raise ValueError("a number is not finite")
            if any(length < 0 for length in lengths):
                raise ValueError("a scene is shorter than nothing")
        except KeyError as error:
            raise ValueError(f"{path}:{row}: a video's line has no {error.args[0]!r}") from None
        except (AttributeError, OverflowError, TypeError, ValueError) as error:
            raise ValueError(f"{path}:{row}: {error}") from None
        yield value, ask, fields


def _known(fields: Any, known: Sequence[str]) -> None:
    """Raises ValueError for what is no object of these names: a weight that is misspelt would count as 1."""
    if not isinstance(fields, dict):
        raise ValueError(f"{fields!r:.40} is no video: a line is one JSON object")
    if unknown := sorted(set(fields) - set(known)):
        raise ValueError(f"{unknown[0]!r} means nothing here; known are {', '.join(known)}")


def _expected(fields: Mapping[str, Any]) -> list[float]:
    """What a story's planner is expected to write, where the line says it. Raises ValueError for what is no lengths."""
    if "scene_seconds" not in fields:
        return []
    lengths: Any = fields["scene_seconds"]
    numbers = isinstance(lengths, list) and all(type(length) in (int, float) for length in lengths)
    if not numbers or not lengths:
        raise ValueError(f"scene_seconds is {lengths!r:.40}, and not a list of one number or more")
    return list(lengths)


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} is {value!r}, which is no whole number from 0 on")
    return value


def _ask(fields: Mapping[str, Any], defaults: VideoOptions) -> Ask:
    sizes: Any = {name: _whole(name, fields[name]) for name in _SIZES if name in fields}
    scenes: Sequence[Mapping[str, Any]] = fields.get("scenes", ())
    if ("story" in fields) == bool(scenes):
        raise ValueError("either story or scenes")
    if "story" in fields and not isinstance(fields["story"], str):
        raise ValueError(f"story is {fields['story']!r:.40}, and no text")
    return Ask(
        replace(defaults, **sizes),
        fields.get("story"),
        tuple(Scene(str(scene["prompt"]), float(scene.get("seconds", 0.0))) for scene in scenes),
    )
