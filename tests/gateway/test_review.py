"""Content review in the gateway: before any stage runs, and again when the planner has written."""

import logging

import grpc
import pytest

from framecast.client.v1 import video_pb2 as pb
from framecast.gateway.status import REVIEW_KEY
from framecast.planner.storyboard import Scene
from framecast.review.policy import Category, Policy


def counted(served, where, category):
    labels = {"where": where, "category": category}
    return served.gateway.service.metrics.registry.get_sample_value("framecast_reviews_total", labels)


async def test_a_story_is_refused_before_any_stage_runs(serve, refuse, requests, caplog):
    caplog.set_level(logging.INFO)
    served = await serve()
    error = await refuse(served, requests(story="A man murders a woman."))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert error.details() == (
        "story.text: is about killing, torture or gore ('murders'), which this server does not film; "
        "leave it out, or say it in other words"
    )
    assert dict(error.trailing_metadata())[REVIEW_KEY] == "violence"
    assert served.director.specs == []
    assert "violence" in caplog.text
    assert "murder" not in caplog.text, "the log has the category, never the words"
    assert (counted(served, "request", "violence"), counted(served, "plan", "violence")) == (1, 0)


async def test_so_is_a_scene_even_the_second(serve, refuse, requests):
    served = await serve()
    error = await refuse(served, requests("a kitten", "一个裸体的人"))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert error.details().startswith("scene.prompt: is about nudity or sex ('裸体')")


async def test_a_negative_prompt_is_read_where_it_is_drawn(serve, refuse, connect):
    """Guidance 0 draws it alone; from 1 on it says what is not wanted, and may well name it."""
    served = await serve()

    def messages(guidance):
        scene = pb.Scene(prompt="a kitten", negative_prompt="naked, blood")
        return [pb.GenerateRequest(options=pb.VideoOptions(guidance_scale=guidance)), pb.GenerateRequest(scene=scene)]

    error = await refuse(served, messages(0.5))
    assert error.details().startswith("scene.negative_prompt: is about nudity or sex")
    events = [event async for event in connect(served).Generate(iter(messages(1.0)))]
    assert events[-1].HasField("done")


async def test_what_the_planner_makes_of_a_story_is_read_too(serve, connect, refuse, requests, monkeypatch):
    served = await serve()

    async def plan(story):
        yield Scene("a kitten")
        yield Scene("a naked kitten")

    monkeypatch.setattr(served.director, "plan", plan)
    call = connect(served).Plan(pb.PlanRequest(text="kittens"))
    assert (await call.read()).prompt == "a kitten"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert caught.value.details().startswith("text: was planned as something about nudity or sex")
    error = await refuse(served, requests(story="kittens"))
    assert error.details().startswith("story.text: was planned as something about nudity or sex ('naked')")
    assert served.director.produced == 2, "the first scene's chunks, and none of the second's"
    assert counted(served, "plan", "sexual") == 2


async def test_a_note_is_filmed_and_counted_and_without_a_policy_nothing_is_read(serve, connect, requests):
    noted = Policy((Category("news", "news", "note", ("murder*",)),))
    served = await serve(review=noted)
    events = [event async for event in connect(served).Generate(iter(requests("a murder")))]
    assert events[-1].HasField("done")
    assert counted(served, "request", "news") == 1
    served = await serve(review=None)
    events = [event async for event in connect(served).Generate(iter(requests("a murder")))]
    assert events[-1].HasField("done")


UNSAFE = (
    "scene 2: its pictures are not to be shown, says the model's safety checker; ask for something else, "
    "or for the same with another seed"
)


async def test_pictures_that_the_checker_finds_unsafe_are_not_sent(serve, connect, requests, caplog):
    caplog.set_level(logging.INFO)
    served = await serve()
    served.director.unsafe_at = 3  # the second chunk of the second scene
    events = []

    async def film():
        async for event in connect(served).Generate(iter(requests("a kitten", "a dog"))):
            events.append(event)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await film()
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert sum(event.HasField("chunk") for event in events) == 3
    assert caught.value.details() == UNSAFE
    assert dict(caught.value.trailing_metadata())[REVIEW_KEY] == "safety_checker"
    assert counted(served, "pictures", "safety_checker") == 1
    assert "where=pictures category=safety_checker action=refuse scene=1" in caplog.text


@pytest.mark.parametrize(("policy", "count"), [(Policy((), pictures="note"), 1), (None, 0)])
async def test_they_are_where_the_policy_notes_them_or_there_is_none(serve, connect, requests, policy, count):
    served = await serve(review=policy)
    served.director.unsafe_at = 0
    events = [event async for event in connect(served).Generate(iter(requests("a kitten")))]
    assert events[-1].HasField("done")
    assert counted(served, "pictures", "safety_checker") == count


async def test_what_was_found_is_told_in_few_words(serve, refuse, requests):
    """A status is a header: of 3,900 emoji between two words gRPC would have sent nothing at all."""
    served = await serve()
    for between in (" \U0001f600" * 1900, "。" * 3000, "\n" * 3000):
        error = await refuse(served, requests(story=f"A kitten covered{between} in{between[:1]} blood"))
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        assert dict(error.trailing_metadata())[REVIEW_KEY] == "violence"
        assert len(error.details()) < 300


async def test_a_later_scene_is_named_by_its_number(serve, refuse, requests):
    served = await serve()
    error = await refuse(served, requests("a kitten", "a dog", "a naked man"))
    assert error.details().endswith("(of scene 3)")
