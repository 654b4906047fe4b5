"""One measured video, as a client sees it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from framecast.client import Accepted, Chunk, Done, Event, FramecastClientError, Overloaded, Stats

STAGES = ("plan", "text", "denoise", "decode", "review", "encode", "mux")
REFUSED = Overloaded.__name__


@dataclass(frozen=True)
class Sample:
    """Seconds on one clock, counted from the start of the run; stages in seconds by name.

    Attributes:
        index: of the video in the run.
        intended: when it was meant to be sent. Latencies count from here, so time in which the load generator
            itself had to wait is not forgotten.
        sent: when it was sent.
        ended: when it was complete, or failed.
        accepted: when the server took it; None: it did not.
        chunks: when each chunk came.
        frames, fps, bytes, scenes, segments: of the video.
        served, first_served: the server's own times, from when the video had its place to the end and to the first
            chunk.
        stages: engine time by stage. A denoise step is billed whole to every video in its batch. Servers before
            `mux` was a stage counted it as `encode`.
        error: class of the error that ended it; empty when it ended well.
        why: what the error says.
    """

    index: int
    intended: float
    sent: float
    ended: float
    accepted: float | None = None
    chunks: tuple[float, ...] = ()
    frames: int = 0
    fps: int = 0
    bytes: int = 0
    served: float | None = None
    first_served: float | None = None
    stages: dict[str, float] = field(default_factory=dict)
    scenes: int = 0
    segments: int = 0
    error: str = ""
    why: str = ""

    @property
    def latency(self) -> float:
        """From the intended sending to the end."""
        return self.ended - self.intended

    @property
    def ttff(self) -> float | None:
        """From the intended sending to the first chunk."""
        return self.chunks[0] - self.intended if self.chunks else None

    @property
    def chunk_intervals(self) -> list[float]:
        """Between chunks."""
        return [later - earlier for earlier, later in pairwise(self.chunks)]

    @property
    def rtf(self) -> float | None:
        """Seconds of waiting and work for each second of video."""
        return self.latency * self.fps / self.frames if self.frames and self.fps else None

    @property
    def engines(self) -> float:
        """Engine time, all stages added up."""
        return sum(self.stages.values())

    @property
    def overhead(self) -> float | None:
        """Total ÷ summed engine time; stages overlap, so it may be below 1."""
        return (self.ended - self.sent) / self.engines if self.engines > 0 else None

    @property
    def queue(self) -> float | None:
        """Waiting for a place at the server: what the first chunk took after acceptance beyond what the server says
        it took once the video had its place. Holds the first chunk's way over the wire as well.
        """
        if self.accepted is None or not self.chunks or self.first_served is None:
            return None
        return max(0.0, self.chunks[0] - self.accepted - self.first_served)

    @property
    def wire(self) -> float | None:
        """Connection, validation and transport: what is left of the total without queue and serving."""
        if self.served is None or self.queue is None:
            return None
        return max(0.0, self.ended - self.sent - self.served - self.queue)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Sample":
        """The inverse of `to_json`. Raises TypeError when `fields` are not a sample's."""
        return cls(**{**fields, "chunks": tuple(fields["chunks"])})


async def observe(events: AsyncGenerator[Event, None], index: int, intended: float, origin: float) -> Sample:
    """Reads a video to its end and times it. An error of the client's becomes the sample's.

    Args:
        events: of the video; nothing has been read of it.
        index: of the video in the run.
        intended: when it was meant to be sent, seconds after `origin`.
        origin: start of the run on the event loop's clock.
    """
    clock = asyncio.get_running_loop().time
    sent, accepted, fps, error, why = clock() - origin, None, 0, "", ""
    chunks: list[float] = []
    stats: Stats | None = None
    try:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Chunk):
                    chunks.append(clock() - origin)
                elif isinstance(event, Accepted):
                    accepted, fps = clock() - origin, event.options.fps
                    chunks.clear()  # after a retry the video begins anew
                elif isinstance(event, Done):
                    stats = event.stats
    except FramecastClientError as failure:
        error, why = type(failure).__name__, str(failure)
    ended = clock() - origin
    if not error and (stats is None or not chunks):
        error, why = "NoVideo", "the stream ended without a video"
    if error or stats is None:
        return Sample(index, intended, sent, ended, accepted, tuple(chunks), fps=fps, error=error, why=why)
    return Sample(
        index,
        intended,
        sent,
        ended,
        accepted,
        tuple(chunks),
        stats.frames,
        fps,
        stats.bytes,
        stats.total_seconds,
        stats.first_chunk_seconds,
        dict(stats.engine_seconds),
        stats.scenes,
        stats.segments,
    )
