"""A virtual clock for asyncio, scripted videos, and a real gateway on a thread of its own."""

import asyncio
import selectors
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from framecast.bench.workload import Ask, Workload
from framecast.client import Accepted, Chunk, Done, Event, FramecastClientError, Scene, Stats, VideoOptions
from framecast.director import video as served
from framecast.director.model import ServedModel
from framecast.director.video import StoryRequest, VideoSpec
from framecast.gateway.config import GatewayConfig
from framecast.gateway.server import start_gateway
from framecast.planner import storyboard

T = TypeVar("T")

MODEL = ServedModel(
    bundle="scripted",
    version="0.0.0",
    latent_frames=4,
    segment_latents=6,
    context_latents=2,
    chunk_latents=2,
    size_multiple=32,
    width=64,
    height=64,
    fps=8,
    steps=5,
    guidance_scale=2.0,
    step_counts=(1, 5, 10),
    max_scenes=4,
)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__(_Jumping(self))
        self.now = 0.0

    def time(self) -> float:
        return self.now


class _Jumping(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise AssertionError("everybody waits and no timer is set: a deadlock on the virtual clock")
        self._loop.now += max(0.0, timeout)
        return super().select(0)


@pytest.fixture
def virtually() -> Callable[[Coroutine[Any, Any, T]], T]:
    """Runs a coroutine on a virtual clock that starts at 0."""

    def run(work: Coroutine[Any, Any, T]) -> T:
        loop = VirtualLoop()
        try:
            return loop.run_until_complete(work)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    return run


class FakeServer:
    """One server that makes videos one after the other, `seconds` each, in two chunks.

    Attributes:
        stall: (from, until): it does nothing in between.
        asked: every video it was asked for.
        fail: raised for these indices of asking.
    """

    def __init__(self, seconds: float, places: int = 1) -> None:
        self.seconds = seconds
        self.stall = (0.0, 0.0)
        self.asked: list[Ask] = []
        self.fail: dict[int, FramecastClientError] = {}
        self._places = places
        self._free: asyncio.Semaphore | None = None

    async def generate(self, ask: Ask) -> AsyncGenerator[Event, None]:
        clock, number = asyncio.get_running_loop().time, len(self.asked)
        self.asked.append(ask)
        if number in self.fail:
            raise self.fail[number]
        self._free = self._free or asyncio.Semaphore(self._places)
        yield Accepted("video", VideoOptions(fps=8), 0.0)
        async with self._free:
            began, first = clock(), 0.0
            for index in range(2):
                await asyncio.sleep(self.seconds / 2)
                if self.stall[0] <= clock() < self.stall[1]:
                    await asyncio.sleep(self.stall[1] - clock())
                first = first or clock() - began
                yield Chunk(index, 0, 8 * index, 8, True, b"data", "video/mp4")
            total = clock() - began
        yield Done(Stats(1, 1, 2, 16, 8, first, total, {"text": 0.1 * total, "denoise": 0.7 * total}))


@pytest.fixture
def workload() -> Workload:
    """One kind of video."""
    return Workload((Ask(VideoOptions(), None, (Scene("a kitten", 2.0),)),))


class Scripted:
    """A director that makes two chunks a scene at once."""

    async def run(
        self, spec: VideoSpec, source: StoryRequest | AsyncIterator[storyboard.Scene]
    ) -> AsyncGenerator[served.Event, None]:
        seconds = {"text": 0.001, "denoise": 0.01, "decode": 0.002, "encode": 0.001, "mux": 0.0005}
        stats = served.Stats(engine_seconds=seconds)
        scenes = self.plan(source) if isinstance(source, StoryRequest) else source
        async for scene in scenes:
            yield served.SceneStarted(stats.scenes, scene, stats.frames)
            stats.scenes, stats.segments = stats.scenes + 1, stats.segments + 1
            for _ in range(2):
                yield served.Chunk(stats.chunks, stats.scenes - 1, stats.frames, 8, b"x" * 10, "video/mp4")
                stats.chunks, stats.frames, stats.bytes = stats.chunks + 1, stats.frames + 8, stats.bytes + 10
        stats.first_chunk_seconds, stats.total_seconds = 0.001, 0.002
        yield served.Done(stats)

    async def plan(self, story: StoryRequest) -> AsyncGenerator[storyboard.Scene, None]:
        yield storyboard.Scene(story.text, 1.0, "pan left")


@contextmanager
def serving(config: GatewayConfig) -> Iterator[str]:
    """host:port of a real gateway over a scripted director."""
    loop, started, addresses, stop = asyncio.new_event_loop(), threading.Event(), [], asyncio.Event()

    async def serve() -> None:
        running = await start_gateway(config, Scripted(), MODEL)
        addresses.append(f"127.0.0.1:{running.port}")
        started.set()
        await stop.wait()
        await running.stop()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert started.wait(20)
    try:
        yield addresses[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.fixture(scope="module")
def gateway() -> Iterator[str]:
    """host:port of one with two places."""
    with serving(GatewayConfig(address="127.0.0.1:0", max_live_videos=2, max_queued_videos=100)) as address:
        yield address


@pytest.fixture
def fake() -> Callable[[float], FakeServer]:
    """Makes a fake server."""
    return FakeServer
