"""The life of one video: story → scenes → segments → chunks, in order, each stage working while the next one does."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from framecast.director.ahead import ahead
from framecast.director.camera import BY_VIEW, CameraPath, prompt_for
from framecast.director.model import ServedModel
from framecast.director.timeline import SegmentPlan, chunks, scene_frames, scene_seed, segment_seed, segments
from framecast.director.video import Chunk, Done, Event, SceneStarted, Stats, StoryRequest, VideoSpec
from framecast.errors import InvalidRequest, Overloaded, StageUnavailable
from framecast.planner.storyboard import Scene
from framecast.stages.types import Floats, Stages, TextStates

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class DirectorConfig:
    """How the director paces and retries.

    Attributes:
        segments_ahead: denoised segments that may wait to be decoded.
        chunks_ahead: encoded chunks that may wait to be sent.
        patience: seconds after a first failure for which a stage that is down is tried again, longer than a restart
            of Triton takes; the seeds are fixed, so a second try gives the same result.
        retry_pause: seconds between tries.
    """

    segments_ahead: int = 1
    chunks_ahead: int = 2
    patience: float = 30.0
    retry_pause: float = 0.25


@dataclass(frozen=True)
class _Segment:
    """A denoised segment on its way to the decoder."""

    scene: int
    plan: SegmentPlan
    latents: Floats
    path: CameraPath | None
    first: int  # frames of the scene before it


class _Patience:
    """How long one piece of work is tried again; counts from its first failure."""

    def __init__(self, config: DirectorConfig) -> None:
        self._config = config
        self._until = 0.0

    async def pause(self, error: StageUnavailable | Overloaded) -> None:
        """Waits before the next try. Raises `error` when patience has run out."""
        now = time.monotonic()
        self._until = self._until or now + self._config.patience
        if now >= self._until:
            raise error
        await asyncio.sleep(self._config.retry_pause)


class Director:
    """Makes videos out of the stages. Holds nothing between videos."""

    def __init__(self, stages: Stages, model: ServedModel, config: DirectorConfig | None = None) -> None:
        self._stages = stages
        self._model = model
        self._config = config or DirectorConfig()

    async def run(self, spec: VideoSpec, source: StoryRequest | AsyncIterator[Scene]) -> AsyncGenerator[Event, None]:
        """Yields the events of a video; the last is `Done`.

        Closing the generator, or cancelling the task that reads it, cancels all its work. A reader that is slow
        holds the stages back: at most the configured number of segments and chunks wait.

        Args:
            spec: the video.
            source: a story to plan, or the scenes, which may still be on their way.

        Raises:
            FramecastError: a stage failed; the chunks so far are a valid beginning of the video.
        """
        started, stats = time.monotonic(), Stats()
        # 1. Scenes, from the planner or the client.
        scenes = self._planned(source, stats) if isinstance(source, StoryRequest) else _received(source)
        ready = ahead(scenes, self._model.max_scenes)
        # 2. Segments, denoised one after the other while the one before is decoded.
        denoised = ahead(self._segments(spec, ready, stats), self._config.segments_ahead)
        # 3. Chunks, decoded and encoded while earlier ones are sent.
        events = ahead(self._chunks(spec, denoised, stats), self._config.chunks_ahead)
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Chunk) and not stats.first_chunk_seconds:
                    stats.first_chunk_seconds = time.monotonic() - started
                yield event
        # 4. The bill.
        if not stats.scenes:
            raise InvalidRequest("scene", "the video has none; send at least one scene before closing the stream")
        stats.total_seconds = time.monotonic() - started
        yield Done(stats)

    async def plan(self, story: StoryRequest) -> AsyncGenerator[Scene, None]:
        """Yields the scenes of a story as the planner writes them. Raises FramecastError."""
        async with aclosing(self._planned(story, Stats())) as scenes:
            async for scene in scenes:
                yield scene

    async def _planned(self, story: StoryRequest, stats: Stats) -> AsyncGenerator[Scene, None]:
        patience, known = _Patience(self._config), 0
        while True:
            try:
                async with aclosing(self._stages.plan(story.text, story.max_scenes)) as planned:
                    index = 0
                    async for item in planned:
                        index += 1
                        if index > known:  # planning is greedy: a second try writes the same scenes again
                            known = index
                            _bill(stats, "plan", item.engine_seconds)
                            yield item.scene
                            patience = _Patience(self._config)  # of the next failure
                return
            except StageUnavailable as error:
                await patience.pause(error)

    async def _segments(
        self, spec: VideoSpec, scenes: AsyncGenerator[Scene, None], stats: Stats
    ) -> AsyncGenerator[SceneStarted | _Segment, None]:
        model, first_frame = self._model, 0
        async with aclosing(scenes):
            async for scene in scenes:
                index, frames = stats.scenes, scene_frames(scene, spec.fps, model)
                stats.scenes += 1
                yield SceneStarted(index, scene, first_frame)

                states = await self._retried(self._encode, scene, index, stats)
                seed = scene_seed(spec.seed, index) if scene.seed is None else scene.seed
                path = CameraPath(scene.camera, frames, spec.fps) if model.camera == BY_VIEW else None
                scene_first, context = first_frame, None
                for plan in segments(frames, model):
                    if not (plan.index and model.still):  # one picture is held for the whole scene
                        own_seed, place = segment_seed(seed, plan.index), (index, plan.index)
                        latents = await self._retried(
                            self._denoise, spec, states, own_seed, context, first_frame, place, stats
                        )
                    context = latents[-model.context_latents :] if model.context_latents else None
                    stats.segments += 1
                    segment = _Segment(index, plan, latents, path, first_frame - scene_first)
                    first_frame += plan.frames
                    yield segment

    async def _chunks(
        self, spec: VideoSpec, items: AsyncGenerator[SceneStarted | _Segment, None], stats: Stats
    ) -> AsyncGenerator[SceneStarted | Chunk, None]:
        async with aclosing(items):
            async for item in items:
                if isinstance(item, SceneStarted):
                    yield item
                    continue
                first = item.first
                for plan in chunks(item.plan, self._model):
                    encoded = await self._retried(
                        self._stages.decode,
                        item.latents[plan.start : plan.stop],
                        frames=plan.frames,
                        fps=spec.fps,
                        first_frame=stats.frames,
                        sequence=stats.chunks,
                        codec=spec.codec,
                        views=item.path.views(first, plan.frames) if item.path else None,
                        scene=item.scene,
                        segment=item.plan.index,
                    )
                    first += plan.frames
                    _bill(stats, "decode", encoded.decode_seconds)
                    if encoded.looked_at:
                        _bill(stats, "review", encoded.review_seconds)
                    _bill(stats, "encode", encoded.encode_seconds)
                    _bill(stats, "mux", encoded.mux_seconds)
                    each = plan.frames // len(encoded.parts)  # a picture codec makes one part a frame
                    for index, part in enumerate(encoded.parts):
                        place = (stats.chunks, item.scene, stats.frames)
                        chunk = Chunk(*place, each, part, encoded.mime, 0 if index else encoded.unsafe)
                        stats.chunks += 1
                        stats.frames += each
                        stats.bytes += len(part)
                        yield chunk

    async def _encode(self, scene: Scene, index: int, stats: Stats) -> TextStates:
        prompt = prompt_for(scene, self._model.camera)
        states = await self._stages.encode_text(prompt, scene.negative_prompt, scene=index)
        _bill(stats, "text", states.engine_seconds)
        return states

    async def _denoise(
        self,
        spec: VideoSpec,
        states: TextStates,
        seed: int,
        context: Floats | None,
        first_frame: int,
        place: tuple[int, int],
        stats: Stats,
    ) -> Floats:
        scene, segment = place
        latents = await self._stages.denoise(
            states,
            seed=seed,
            steps=spec.steps,
            guidance=spec.guidance_scale,
            size=(spec.height, spec.width),
            latent_count=self._model.segment_latents,
            context=context,
            first_frame=first_frame,
            scene=scene,
            segment=segment,
        )
        _bill(stats, "denoise", latents.engine_seconds)
        return latents.values

    async def _retried(self, call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """The call, again and again while its stage is down, for as long as the director's patience lasts."""
        patience = _Patience(self._config)
        while True:
            try:
                return await call(*args, **kwargs)
            except (StageUnavailable, Overloaded) as error:
                await patience.pause(error)


async def _received(scenes: AsyncIterator[Scene]) -> AsyncGenerator[Scene, None]:
    async for scene in scenes:
        yield scene


def _bill(stats: Stats, stage: str, seconds: float) -> None:
    stats.engine_seconds[stage] = stats.engine_seconds.get(stage, 0.0) + seconds
