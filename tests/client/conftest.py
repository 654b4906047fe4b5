"""A server that plays a script, one behaviour a call: the client's tests need the base install only."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import grpc
import pytest
from typer.testing import CliRunner

from framecast.client import RetryPolicy, cli
from framecast.client.v1 import video_pb2 as pb
from framecast.client.v1 import video_pb2_grpc

Behaviour = Callable[["FakeVideo", Iterator[pb.GenerateRequest], grpc.ServicerContext], Iterator[pb.GenerateEvent]]


@dataclass
class Call:
    """What one call brought."""

    metadata: dict[str, str]
    time: float
    time_remaining: float | None
    messages: list[pb.GenerateRequest] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)


class FakeVideo(video_pb2_grpc.VideoServicer):
    """Each call takes the next behaviour of `script`; the last one stays."""

    def __init__(self) -> None:
        self.script: list[Behaviour] = [FakeVideo.film]
        self.calls: list[Call] = []
        self.port = 0
        self.max_story_scenes = 6

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def Generate(self, requests, context):  # noqa: N802
        behaviour = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        yield from behaviour(self, requests, self._begin(context))

    def Plan(self, request, context):  # noqa: N802
        behaviour = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        self._begin(context)
        if behaviour is not FakeVideo.film:
            yield from behaviour(self, iter(()), context)
        for index in range(request.max_scenes or 2):
            yield pb.Scene(prompt=f"{request.text} {index}", seconds=2, camera=pb.ZOOM_IN)

    def GetServerInfo(self, request, context):  # noqa: N802
        self._begin(context)
        defaults = pb.VideoOptions(width=256, height=256, fps=16, steps=20, guidance_scale=6, codec=pb.H264)
        limits = {"min_steps": 1, "max_story_scenes": self.max_story_scenes}
        return pb.ServerInfo(version="1.2", bundle="fake", defaults=defaults, codecs=[pb.H264, pb.PNG, 99], **limits)

    def film(self, requests, context):
        """A whole video, one chunk a scene (three for a story), filmed as the scenes come."""
        call = self.calls[-1]
        message = next(requests)
        call.messages.append(message)
        options = message.options
        options.fps = options.fps or 16
        accepted = pb.Accepted(request_id=options.request_id, options=options, seconds_to_first_frame=0.5)
        yield pb.GenerateEvent(accepted=accepted)
        index = 0
        for message in requests:
            call.messages.append(message)
            for _ in range(3 if message.HasField("story") else 1):
                started = pb.SceneStarted(index=index, scene=message.scene, first_frame=8 * index)
                yield pb.GenerateEvent(scene_started=started)
                yield self.chunk(index)
                index += 1
        stats = pb.Stats(scenes=index, frames=8 * index, engine_seconds={"denoise": 1.5})
        yield pb.GenerateEvent(done=pb.Done(stats=stats))

    @staticmethod
    def chunk(index, data=b"data"):
        chunk = pb.Chunk(index=index, scene=index, pts=8 * index, frames=8, keyframe=True, data=data, mime="video/mp4")
        return pb.GenerateEvent(chunk=chunk)

    @staticmethod
    def fail(code, details="no", *, pushback=None, after=0):
        """Behaviour: an error after that many chunks."""

        def behave(self, requests, context):
            next(requests, None)
            for index in range(after):
                yield self.chunk(index)
            if pushback is not None:
                context.set_trailing_metadata((("grpc-retry-pushback-ms", pushback),))
            context.abort(code, details)

        return behave

    def hang(self, requests, context):
        """One chunk, then nothing until the call is cancelled."""
        yield self.chunk(0)
        self.calls[-1].cancelled.wait(10)

    def _begin(self, context):
        call = Call(dict(context.invocation_metadata()), time.monotonic(), context.time_remaining())
        context.add_callback(call.cancelled.set)
        self.calls.append(call)
        return context


@pytest.fixture
def fake() -> Iterator[FakeVideo]:
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_send_message_length", -1)])
    servicer = FakeVideo()
    video_pb2_grpc.add_VideoServicer_to_server(servicer, server)
    servicer.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer
    server.stop(None).wait()


@pytest.fixture
def quick() -> RetryPolicy:
    """Retries without long waits."""
    return RetryPolicy(first_delay=0.01)


@pytest.fixture
def run(fake, tmp_path, monkeypatch):
    """Runs the command against the scripted server, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRAMECAST_ADDRESS", fake.address)
    runner = CliRunner()
    return lambda *args, **settings: runner.invoke(cli.app, list(args), **settings)


def environment():
    """Of a command in a process of its own: it finds what we find."""
    return {**os.environ, "COLUMNS": "120", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
