"""A segment being denoised."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from framecast.denoiser.continuity import joined
from framecast.denoiser.samplers import Schedule, initial_noise, step_noise
from framecast.errors import FramecastError

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Segment:
    """What is to be denoised.

    Attributes:
        shape: (frames F, channels C, height h, width w) of the latents.
        embedding, negative_embedding: [T, D] text states.
        seed: of the initial noise.
        schedule: the sampler's steps.
        guidance: classifier-free guidance scale.
        context: [k, C, h, w], k < F, finished latents that the segment begins with and is conditioned on.
    """

    shape: tuple[int, int, int, int]
    embedding: Floats
    negative_embedding: Floats
    seed: int
    schedule: Schedule
    guidance: float
    context: Floats


@dataclass(eq=False)
class Job:
    """A segment in the batcher, with its caller's callbacks (called from the batcher's thread).

    Attributes:
        segment: what to denoise.
        finished: takes the job when its last step is done; `latents` is the result.
        failed: takes the error that ended it.
        cancelled: True once the caller has gone; asked at every step until the job has ended, never after.
        first: it is the first segment of a video. That changes its turns, not its result.
        latents: [F, C, h, w], as far as they are.
        memory: [F, C, h, w], what the last step keeps for the next; None when the sampler never looks back.
        context, given: the segment's context padded to F frames, and 1 for those frames, 0 for the rest: [F].
        step: steps done.
        passed: steps that others took while it was live.
        engine_seconds: time of the steps it took part in.
    """

    segment: Segment
    finished: Callable[["Job"], None]
    failed: Callable[[FramecastError], None]
    cancelled: Callable[[], bool]
    first: bool = True
    submitted: float = field(default_factory=time.monotonic)
    latents: Floats = field(init=False)
    context: Floats = field(init=False)
    given: Floats = field(init=False)
    memory: Floats | None = field(init=False, default=None)
    step: int = 0
    passed: int = 0
    engine_seconds: float = 0.0

    def __post_init__(self) -> None:
        segment, known = self.segment, len(self.segment.context)
        self.latents = initial_noise(segment.seed, segment.shape, segment.schedule.initial_scale)
        self.context = np.zeros(segment.shape, np.float32)
        self.context[:known] = segment.context
        self.given = (np.arange(segment.shape[0]) < known).astype(np.float32)

    @property
    def bucket(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Jobs of one bucket fit into one batch."""
        return self.segment.shape, self.segment.embedding.shape

    @property
    def steps(self) -> int:
        """Of the whole segment."""
        return self.segment.schedule.steps

    @property
    def left(self) -> float:
        """Work that is left: latents' elements times steps."""
        return float(math.prod(self.segment.shape) * (self.steps - self.step))

    def noise(self) -> Floats:
        """What the present step draws, [F, C, h, w]."""
        return step_noise(self.segment.seed, self.step, self.segment.shape)

    def none(self) -> Floats:
        """Zeros [F, C, h, w]."""
        return np.zeros(self.segment.shape, np.float32)

    @property
    def answering(self) -> bool:
        """At its last step, with context, and that step's result is what the network says, of the context as well."""
        _, kept, said = self.segment.schedule.coefficients[-1]
        own = abs(kept) < 1e-4 and abs(said - 1) < 1e-4  # tables are fitted, and end a few millionths away from it
        return own and self.step == self.steps - 1 and len(self.segment.context) > 0

    def inputs(self) -> tuple[Floats, Floats]:
        """What the present step takes: latents [F, C, h, w], and which of them the context replaces, [F]."""
        if not self.answering:
            return self.latents, self.given
        # The context is put in place here, so that it is seen but not put back over the answer.
        return np.concatenate([self.segment.context, self.latents[len(self.segment.context) :]]), 0 * self.given

    def take(self, latents: Floats, memory: Floats | None, seconds: float) -> None:
        """What the present step gave; the next one is the present from here on."""
        self.latents = joined(latents, self.segment.context) if self.answering else latents
        self.memory = memory
        self.step += 1
        self.engine_seconds += seconds

    @property
    def done(self) -> bool:
        """True after the last step."""
        return self.step == self.steps
