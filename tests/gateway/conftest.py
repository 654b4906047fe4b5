"""A gateway on a loopback port over a director that follows a script."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import grpc
import pytest

from framecast.client.v1 import video_pb2 as pb
from framecast.client.v1 import video_pb2_grpc
from framecast.director.model import ServedModel
from framecast.director.video import Chunk, Done, Event, SceneStarted, Stats, StoryRequest, VideoSpec
from framecast.gateway.config import GatewayConfig
from framecast.gateway.server import Gateway, start_gateway
from framecast.planner.storyboard import Scene

MODEL = ServedModel(
    bundle="scripted",
    version="0.0.0",
    latent_frames=4,
    segment_latents=4,
    context_latents=1,
    chunk_latents=2,
    size_multiple=32,
    width=256,
    height=256,
    fps=16,
    steps=20,
    guidance_scale=6.0,
    step_counts=(10, 20, 50),
    max_scenes=6,
)


async def _go_on() -> None:
    await asyncio.sleep(0)


class ScriptedDirector:
    """Films `chunks` chunks of `chunk_bytes` a scene; a story has `scenes` scenes.

    Attributes:
        before_chunk: awaited before each chunk, to hold the film or to make it slow.
        error: raised instead of chunk number `error_at`.
        unsafe_at: number of the chunk that a safety checker finds something in.
        specs: of every video begun.
        seen: every scene filmed.
        produced: chunks made.
        live: videos being made.
    """

    def __init__(self) -> None:
        self.chunks = 2
        self.chunk_bytes = 1000
        self.scenes = 2
        self.before_chunk: Callable[[], Awaitable[None]] = _go_on
        self.error: Exception | None = None
        self.error_at = 0
        self.unsafe_at: int | None = None
        self.specs: list[VideoSpec] = []
        self.seen: list[Scene] = []
        self.produced = 0
        self.live = 0

    async def run(self, spec: VideoSpec, source: StoryRequest | AsyncIterator[Scene]) -> AsyncGenerator[Event, None]:
        self.specs.append(spec)
        self.live += 1
        began = time.monotonic()
        stats = Stats()
        try:
            async for scene in self.plan(source) if isinstance(source, StoryRequest) else source:
                self.seen.append(scene)
                yield SceneStarted(stats.scenes, scene, stats.frames)
                for _ in range(self.chunks):
                    await self.before_chunk()
                    if self.error is not None and stats.chunks == self.error_at:
                        raise self.error
                    self.produced += 1
                    stats.first_chunk_seconds = stats.first_chunk_seconds or time.monotonic() - began
                    data, unsafe = b"x" * self.chunk_bytes, int(stats.chunks == self.unsafe_at)
                    yield Chunk(stats.chunks, stats.scenes, stats.frames, 8, data, "video/mp4", unsafe)
                    stats.chunks += 1
                    stats.frames += 8
                    stats.bytes += self.chunk_bytes
                stats.scenes += 1
            stats.total_seconds = time.monotonic() - began
            yield Done(stats)
        finally:
            self.live -= 1

    async def plan(self, story: StoryRequest) -> AsyncGenerator[Scene, None]:
        for index in range(min(self.scenes, story.max_scenes)):
            yield Scene(f"{story.text} {index}", 1.0, "pan left")


@dataclass
class Served:
    """A running gateway with its director."""

    gateway: Gateway
    director: ScriptedDirector

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.gateway.port}"


Serve = Callable[..., Awaitable[Served]]


@pytest.fixture
def model() -> ServedModel:
    return MODEL


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a gateway with the given settings; stopped after the test."""
    async with AsyncExitStack() as stack:

        async def start(*, model: ServedModel = MODEL, **settings: object) -> Served:
            director = ScriptedDirector()
            config = GatewayConfig(address="127.0.0.1:0", **settings)  # type: ignore[arg-type]
            gateway = await start_gateway(config, director, model)
            stack.push_async_callback(gateway.stop)
            return Served(gateway, director)

        yield start


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[Served], video_pb2_grpc.VideoStub]]:
    """A generated stub on its own channel."""
    async with AsyncExitStack() as stack:
        channels = []

        def open_stub(served: Served) -> video_pb2_grpc.VideoStub:
            # Without bandwidth probes a client's window keeps its 64 KiB: what a slow reader buffers is the same
            # on every machine.
            options = [("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0)]
            channel = grpc.aio.insecure_channel(served.address, options=options)
            channels.append(channel)
            stack.push_async_callback(channel.close)
            return video_pb2_grpc.VideoStub(channel)

        yield open_stub


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Waits for a condition, 5 s at most."""

    async def wait(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 5
        while not condition():
            assert time.monotonic() < end, "the condition did not come true within 5 s"
            await asyncio.sleep(0.005)

    return wait


@pytest.fixture
def requests() -> Callable[..., list[pb.GenerateRequest]]:
    """The messages of a call: options, then a story or scenes."""

    def make(*prompts: str, story: str | None = None, **options: object) -> list[pb.GenerateRequest]:
        messages = [pb.GenerateRequest(options=pb.VideoOptions(**options))]  # type: ignore[arg-type]
        if story is not None:
            messages.append(pb.GenerateRequest(story=pb.Story(text=story)))
        return messages + [pb.GenerateRequest(scene=pb.Scene(prompt=prompt)) for prompt in prompts]

    return make


@pytest.fixture
def refuse() -> Callable[..., Awaitable[grpc.RpcError]]:
    """Makes a Generate call that must fail and returns its error.

    By the blocking stub, in a thread: grpc.aio's may hide a status that comes while requests are being written.
    """

    def call(address: str, messages: list[pb.GenerateRequest], **settings: object) -> grpc.RpcError:
        with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as caught:
            for _ in video_pb2_grpc.VideoStub(channel).Generate(iter(messages), **settings):
                pass
        return caught.value

    async def in_thread(served: Served, messages: list[pb.GenerateRequest], **settings: object) -> grpc.RpcError:
        return await asyncio.to_thread(call, served.address, messages, **settings)

    return in_thread
