"""Stages that are watched: what metrics and traces want to know of every call, told in one place."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, aclosing
from types import TracebackType
from typing import Protocol

from framecast.stages.types import Encoded, Floats, Latents, Planned, Stages, TextStates

Attributes = Mapping[str, int | str]


class StageCall(Protocol):
    """One call, as its observer sees it."""

    def running(self) -> AbstractContextManager[object]:
        """Entered while the stage works or is waited for; left while the caller is busy with one of its results."""
        ...

    def ended(self, error: BaseException | None, engine_seconds: Mapping[str, float]) -> None:
        """The call is over.

        Args:
            error: that ended it; CancelledError or GeneratorExit when nobody wanted the result any more.
            engine_seconds: inside the engines, by stage; what came back before an error.
        """
        ...


class StageObserver(Protocol):
    """Sees every call of every stage."""

    def began(self, stage: str, attributes: Attributes) -> StageCall:
        """A call begins. `stage` is plan, text, denoise or decode; decode also reviews, encodes and muxes."""
        ...


class ObservedStages:
    """`stages`, with every call told to `observers`; see `framecast.stages.types.Stages`."""

    def __init__(self, stages: Stages, observers: Sequence[StageObserver]) -> None:
        self._stages = stages
        self._observers = observers

    async def plan(self, story: str, max_scenes: int) -> AsyncGenerator[Planned, None]:
        """The scenes of a story, as they are written."""
        with self._watched("plan", max_scenes=max_scenes) as call:
            async with aclosing(self._stages.plan(story, max_scenes)) as scenes:
                while True:
                    with call.running():
                        item = await anext(scenes, None)
                    if item is None:
                        return
                    call.engine_seconds["plan"] = call.engine_seconds.get("plan", 0.0) + item.engine_seconds
                    yield item

    async def encode_text(self, prompt: str, negative_prompt: str, *, scene: int) -> TextStates:
        """Text states of a scene."""
        with self._watched("text", scene=scene) as call, call.running():
            states = await self._stages.encode_text(prompt, negative_prompt, scene=scene)
            call.engine_seconds["text"] = states.engine_seconds
            return states

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
        """A segment."""
        height, width = size
        sizes = {"width": width, "height": height, "latents": latent_count}
        with self._watched("denoise", scene=scene, segment=segment, steps=steps, **sizes) as call, call.running():
            latents = await self._stages.denoise(
                states,
                seed=seed,
                steps=steps,
                guidance=guidance,
                size=size,
                latent_count=latent_count,
                context=context,
                first_frame=first_frame,
                scene=scene,
                segment=segment,
            )
            call.engine_seconds["denoise"] = latents.engine_seconds
            return latents

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
        """A chunk."""
        place = {"scene": scene, "segment": segment, "chunk": sequence}
        with self._watched("decode", **place, frames=frames, codec=codec) as call, call.running():
            encoded = await self._stages.decode(
                latents,
                frames=frames,
                fps=fps,
                first_frame=first_frame,
                sequence=sequence,
                codec=codec,
                views=views,
                scene=scene,
                segment=segment,
            )
            call.engine_seconds.update(
                decode=encoded.decode_seconds, encode=encoded.encode_seconds, mux=encoded.mux_seconds
            )
            if encoded.looked_at:
                call.engine_seconds["review"] = encoded.review_seconds
            return encoded

    def _watched(self, stage: str, **attributes: int | str) -> "_Watched":
        return _Watched([observer.began(stage, attributes) for observer in self._observers])


class _Watched:
    """One call and everyone who sees it."""

    def __init__(self, calls: Sequence[StageCall]) -> None:
        self.engine_seconds: dict[str, float] = {}
        self._calls = calls

    def running(self) -> AbstractContextManager[object]:
        stack = ExitStack()
        for call in self._calls:
            stack.enter_context(call.running())
        return stack

    def __enter__(self) -> "_Watched":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for call in self._calls:
            call.ended(error, self.engine_seconds)
