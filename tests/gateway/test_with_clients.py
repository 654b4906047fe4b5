"""The published clients and the command against a gateway."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from framecast.client import (
    Accepted,
    AsyncVideoClient,
    Chunk,
    Done,
    InvalidArgument,
    Overloaded,
    RetryPolicy,
    Scene,
    SceneStarted,
    Unauthenticated,
    VideoClient,
    VideoOptions,
    save_async,
)
from framecast.client.cli import app
from framecast.gateway import admission

TOKEN = "sesame"  # noqa: S105


@pytest.mark.parametrize("source", [{"story": "kitten"}, {"scenes": [Scene("a"), Scene("b")]}])
async def test_both_clients_see_the_same_events(serve, source):
    served = await serve()
    options = VideoOptions(seed=3, request_id="same")

    def by_sync():
        with VideoClient(served.address) as client:
            return list(client.generate(**source, options=options))

    async def by_async():
        async with AsyncVideoClient(served.address) as client:
            return [event async for event in client.generate(**source, options=options)]

    sync, asynchronous = await asyncio.to_thread(by_sync), await by_async()
    assert sync[0].options == asynchronous[0].options
    assert sync[1:-1] == asynchronous[1:-1]
    assert [type(event) for event in sync] == [Accepted, *([SceneStarted, Chunk, Chunk] * 2), Done]
    assert sync[-1].stats.frames == 32


async def test_scenes_made_of_earlier_chunks(serve, tmp_path):
    served = await serve()
    arrived = asyncio.Queue()

    async def scenes():
        for index in range(3):
            yield Scene(f"scene {index}")
            await arrived.get()

    async def watched(events):
        async for event in events:
            if isinstance(event, Chunk) and event.index % 2:
                arrived.put_nowait(event)
            yield event

    async with AsyncVideoClient(served.address) as client:
        saved = await save_async(watched(client.generate(scenes=scenes())), tmp_path / "a.mp4")
    assert (saved.frames, saved.bytes) == (48, 6000)
    assert [scene.prompt for scene in served.director.seen] == ["scene 0", "scene 1", "scene 2"]


async def test_leaving_the_loop_stops_the_director(serve, until):
    served = await serve()
    served.director.chunks = 10_000
    served.director.before_chunk = lambda: asyncio.sleep(0.02)
    async with AsyncVideoClient(served.address) as client:
        async for event in client.generate(scenes=[Scene("endless")]):
            if isinstance(event, Chunk):
                break
        await until(lambda: served.director.live == 0)
    assert served.director.produced <= 3


async def test_a_refused_client_waits_for_the_pushback_and_gets_its_place(serve, until, monkeypatch):
    monkeypatch.setattr(admission, "UNKNOWN_RETRY_SECONDS", 0.5)  # nothing is known yet
    served = await serve(max_live_videos=1, max_queued_videos=0)
    hold = asyncio.Event()
    served.director.before_chunk = hold.wait
    async with AsyncVideoClient(served.address) as client:

        async def film():
            return [event async for event in client.generate("kitten", timeout=10)]

        first = asyncio.create_task(film())
        await until(lambda: served.director.live == 1)
        second = asyncio.create_task(film())
        refused = served.gateway.service.metrics.refusals.labels("overloaded")
        await until(lambda: refused._value.get() == 1)
        hold.set()
        assert isinstance((await first)[-1], Done)
        assert isinstance((await second)[-1], Done)
        assert len(served.director.specs) == 2


async def test_errors_arrive_as_the_clients_own(serve, until):
    served = await serve(max_live_videos=1, max_queued_videos=0, tokens=frozenset({TOKEN}))
    hold = asyncio.Event()
    once = RetryPolicy(attempts=1)

    async def film(token=TOKEN, **settings):
        async with AsyncVideoClient(served.address, token=token, retry=once) as client:
            return [event async for event in client.generate("kitten", **settings)]

    with pytest.raises(Unauthenticated, match="valid token"):
        await film(token=TOKEN + "x")
    with pytest.raises(InvalidArgument, match=r"options\.width: 250 is not a multiple of 32; the nearest size is 256"):
        await film(options=VideoOptions(width=250))
    served.director.before_chunk = hold.wait
    first = asyncio.create_task(film())
    await until(lambda: served.director.live == 1)
    with pytest.raises(Overloaded, match="all 1 places") as caught:
        await film()
    assert caught.value.retry_after >= 0.5
    hold.set()
    await first


async def test_the_command_over_the_wire(serve, tmp_path, monkeypatch):
    served = await serve()
    monkeypatch.chdir(tmp_path)

    def run(*args):
        return CliRunner().invoke(app, [*args, "--address", served.address])

    result = await asyncio.to_thread(run, "generate", "kitten", "--json")
    assert result.exit_code == 0, result.output
    events = [json.loads(line)["event"] for line in result.stdout.splitlines()]
    assert events == ["accepted", *(["scene_started", "chunk", "chunk"] * 2), "done", "saved"]
    assert (tmp_path / "out.mp4").read_bytes() == b"x" * 4000
    bad = await asyncio.to_thread(run, "generate", "kitten", "--fps", "1000000000")
    assert (bad.exit_code, bad.stderr) == (2, "framecast: options.fps: 1000000000 is not between 1 and 60\n")
    info = await asyncio.to_thread(run, "info")
    assert "serving scripted" in info.stdout
