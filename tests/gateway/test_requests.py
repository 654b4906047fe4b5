"""The messages of a call: a film that is given up lets go of its caller at once."""

import asyncio

import pytest

from framecast.client.v1 import video_pb2 as pb
from framecast.director.ahead import ahead
from framecast.gateway.requests import RequestStream


class _Anything:
    """Takes every scene as it is."""

    guidance_scale = 1.0

    def scene(self, message, guidance_scale):
        return message

    def add(self, scene):
        pass


class _Messages:
    def __init__(self):
        self.queue = asyncio.Queue()

    def __aiter__(self):
        return self

    async def __anext__(self):
        return await self.queue.get()


@pytest.mark.parametrize("ticks", range(6))
async def test_a_scene_that_comes_as_the_film_is_given_up_holds_nobody(ticks):
    """Whatever turn of the loop it comes in; a lost cancellation would wait for an hour of silence."""
    messages = _Messages()
    stream = RequestStream(messages, _Anything(), idle_seconds=3600.0)

    async def scenes():
        while (scene := await stream.next_scene(_Anything())) is not None:
            yield scene

    film = ahead(scenes(), 6)
    messages.queue.put_nowait(pb.GenerateRequest(scene=pb.Scene(prompt="a")))
    assert (await anext(film)).prompt == "a"
    for _ in range(20):
        await asyncio.sleep(0)  # until the next message is waited for
    messages.queue.put_nowait(pb.GenerateRequest(scene=pb.Scene(prompt="b")))
    for _ in range(ticks):
        await asyncio.sleep(0)
    closing = asyncio.ensure_future(film.aclose())
    await asyncio.wait({closing}, timeout=10)
    assert closing.done(), "the cancellation was lost"
