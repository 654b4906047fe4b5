"""What the stages give back, and the protocol by which the director sees them."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from framecast.planner.storyboard import Scene

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Planned:
    """A scene the planner wrote, and the seconds its engine took."""

    scene: Scene
    engine_seconds: float


@dataclass(frozen=True)
class TextStates:
    """What conditions the denoiser: float32 [T, D] each."""

    embedding: Floats
    negative_embedding: Floats
    engine_seconds: float


@dataclass(frozen=True)
class Latents:
    """A denoised segment, float32 [f, C, h, w]."""

    values: Floats
    engine_seconds: float


@dataclass(frozen=True)
class Encoded:
    """An encoded chunk: one part for a video codec, one a frame for pictures, which are not muxed.

    A safety checker looked at `looked_at` of its frames, and `unsafe` of those are not to be shown.
    """

    parts: tuple[bytes, ...]
    mime: str
    decode_seconds: float
    encode_seconds: float
    mux_seconds: float
    review_seconds: float = 0.0
    looked_at: int = 0
    unsafe: int = 0


class Stages(Protocol):
    """The stages of a video. Each call raises a `FramecastError`; cancelling it cancels the work in Triton.

    `scene` and `segment` say what a call is for, counted from 0 within the video and the scene; they change nothing.
    """

    def plan(self, story: str, max_scenes: int) -> AsyncGenerator[Planned, None]:
        """The scenes of a story, as they are written."""
        ...

    async def encode_text(self, prompt: str, negative_prompt: str, *, scene: int) -> TextStates:
        """Text states of a scene."""
        ...

    async def denoise(
        self,
        states: TextStates,
        *,
        seed: int,
        steps: int,
        guidance: float,
        size: tuple[int, int],
        latent_count: int,
        context: Floats | None,
        first_frame: int,
        scene: int,
        segment: int,
    ) -> Latents:
        """A segment of `latent_count` latents at `size` (height, width) pixels, growing out of `context`; the video's
        first one, whose `first_frame` is 0, is made before later ones of other videos.
        """
        ...

    async def decode(
        self,
        latents: Floats,
        *,
        frames: int,
        fps: int,
        first_frame: int,
        sequence: int,
        codec: str,
        views: Floats | None,
        scene: int,
        segment: int,
    ) -> Encoded:
        """The first `frames` frames of `latents` as one chunk; of each what its view shows (`CameraPath.views`)."""
        ...
