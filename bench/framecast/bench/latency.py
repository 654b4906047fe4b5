"""One client, one video at a time: where the time goes."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from framecast.client import Chunk, Done, Scene, VideoClient, VideoOptions

STAGES = ("plan", "text", "denoise", "decode", "encode")


@dataclass(frozen=True)
class Sample:
    """One video, in seconds.

    Attributes:
        ttff: from the call to the first chunk, at the client.
        total: from the call to the end, at the client.
        served: from when the video had its place to the end, at the server.
        engines: inside the engines, all stages added up.
        stages: the same by stage.
        chunk_intervals: between chunks, at the client.
        video: length of the video.
    """

    ttff: float
    total: float
    served: float
    engines: float
    stages: dict[str, float]
    chunk_intervals: list[float]
    video: float


def measure(
    client: VideoClient,
    *,
    story: str | None,
    scenes: Sequence[Scene],
    options: VideoOptions,
    videos: int,
    warmup: int,
    progress: Callable[[], None] = lambda: None,
) -> list[Sample]:
    """Makes `warmup` + `videos` videos one after the other and measures the latter.

    Raises:
        FramecastClientError: a video failed.
    """
    samples = []
    for index in range(warmup + videos):
        sample = _measure_one(client, story, scenes, options)
        if index >= warmup:
            samples.append(sample)
        progress()
    return samples


def summary(samples: Sequence[Sample]) -> dict[str, Any]:
    """Medians over the samples. `overhead` is the served time ÷ the summed engine time; stages overlap, so it can
    be below 1. `video_rtf` is seconds of work for each second of video.
    """
    intervals = [interval for sample in samples for interval in sample.chunk_intervals]
    return {
        "completed_requests": len(samples),
        "ttff_ms": 1000 * median(s.ttff for s in samples),
        "latency_median": median(s.total for s in samples),
        "served_median": median(s.served for s in samples),
        "engines_median": median(s.engines for s in samples),
        "overhead": median(s.served / s.engines for s in samples),
        "wire_seconds": median(s.total - s.served for s in samples),
        "ttff_share": median(s.ttff / s.total for s in samples),
        "chunk_interval_ms": 1000 * median(intervals) if intervals else None,
        "video_rtf": median(s.total / s.video for s in samples),
        "stage_durations_p50": {
            stage: median(s.stages[stage] for s in samples) for stage in STAGES if stage in samples[0].stages
        },
    }


def raw(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """The samples as JSON."""
    return [asdict(sample) for sample in samples]


def _measure_one(client: VideoClient, story: str | None, scenes: Sequence[Scene], options: VideoOptions) -> Sample:
    started, arrivals, fps, stats = time.perf_counter(), [], 0, None
    for event in client.generate(story, scenes=scenes or None, options=options):
        if isinstance(event, Chunk):
            arrivals.append(time.perf_counter())
        elif isinstance(event, Done):
            stats = event.stats
        elif hasattr(event, "options"):
            fps = event.options.fps
    total = time.perf_counter() - started
    if stats is None or not arrivals:
        raise ValueError("the server sent no video")
    return Sample(
        ttff=arrivals[0] - started,
        total=total,
        served=stats.total_seconds,
        engines=sum(stats.engine_seconds.values()),
        stages=dict(stats.engine_seconds),
        chunk_intervals=[b - a for a, b in pairwise(arrivals)],
        video=stats.frames / fps,
    )
