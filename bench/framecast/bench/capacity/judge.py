"""A fleet, played: what a plan is held to, for the formula knows only what a video finds as it comes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from framecast.bench import arrivals
from framecast.bench.capacity.film import Film
from framecast.bench.capacity.fleet import Fleet, Routing
from framecast.bench.capacity.service import Replica, ServiceModel
from framecast.bench.capacity.simulate import simulate
from framecast.bench.capacity.validate import summarised

PART = 32
"""Replicas that are played of a larger fleet, at their share of the demand. Divided at random, one is enough: what
reaches it is Poisson too."""


_FEWEST, _CHUNKS = 1000, 200_000  # videos at least, and chunks in all at most, of one answer


@dataclass(frozen=True)
class Judged:
    """What a simulation says of a fleet.

    Attributes:
        latency_p95, ttff_p95: seconds; None: nobody was served.
        refused_rate: share of the callers who are turned away or whose video fails.
        busy: share of the time in which a replica's device denoises or decodes; both at once count twice, up to 1.
    """

    latency_p95: float | None
    ttff_p95: float | None
    refused_rate: float
    busy: float


def judge(
    service: ServiceModel,
    replica: Replica,
    films: Sequence[Film],
    rate: float,
    replicas: int,
    *,
    routing: Routing = Routing.RANDOM,
    videos: int = 20_000,
    seed: int = 1,
) -> Judged:
    """Plays `videos` Poisson arrivals, the first tenth of which does not count; the same draws for every fleet.

    Of long videos fewer are played, so that an answer takes seconds.
    """
    chunks = sum(film.weight * len(film.chunk_frames) for film in films) / sum(film.weight for film in films)
    videos = max(_FEWEST, min(videos, int(_CHUNKS / chunks)))
    part = 1 if routing is Routing.RANDOM else min(replicas, PART)
    times = arrivals.poisson(1.0, videos, seed) * replicas / (part * rate)
    found = simulate(Fleet(service, replica, part, routing), times, films, seed=seed)
    figures = summarised(found, warmup=0.1)
    duration = float(np.nanmax(found.ended, initial=times[-1])) - float(times[0])
    worked = found.busy["denoise"] + found.busy["decode"]
    return Judged(
        figures["latency_p95"],
        figures["ttff_p95"],
        (figures["refused_rate"] or 0.0) + (figures["failed_rate"] or 0.0),
        min(1.0, worked / (part * duration)) if duration else 0.0,
    )
