"""Every field of the wire, right and wrong."""

import math

import pytest

from framecast.client.v1 import video_pb2 as pb
from framecast.errors import InvalidRequest
from framecast.gateway.config import Limits
from framecast.gateway.validate import Validator
from framecast.planner.storyboard import Scene

LIMITS = Limits(codecs=("h264", "vp9", "jpeg", "png"), scenes=4, video_seconds=20.0, scene_seconds=10.0)


@pytest.fixture
def validator(model):
    return Validator(model, LIMITS)


def test_unset_options_become_the_models_defaults(validator, model):
    spec = validator.spec(pb.VideoOptions())
    assert (spec.width, spec.height, spec.fps, spec.steps) == (model.width, model.height, model.fps, model.steps)
    assert (spec.guidance_scale, spec.codec) == (model.guidance_scale, "h264")
    assert len(spec.request_id) == 32
    assert all(0 <= validator.spec(pb.VideoOptions()).seed < 2**53 for _ in range(100))  # a double holds them
    assert validator.spec(pb.VideoOptions()).seed != spec.seed


def test_set_options_are_kept(validator):
    spec = validator.spec(
        pb.VideoOptions(
            request_id="a-1", width=512, height=320, fps=24, seed=0, steps=10, guidance_scale=0.0, codec=pb.JPEG
        )
    )
    assert (spec.request_id, spec.width, spec.height, spec.fps, spec.seed) == ("a-1", 512, 320, 24, 0)
    assert (spec.steps, spec.guidance_scale, spec.codec) == (10, 0.0, "jpeg")
    assert validator.spec(pb.VideoOptions(seed=2**63 - 1)).seed == 2**63 - 1


@pytest.mark.parametrize(
    ("fields", "field", "remedy"),
    [
        ({"width": 250}, "options.width", "nearest size is 256"),
        ({"width": 8}, "options.width", "nearest size is 32"),
        ({"width": -32}, "options.width", "nearest size is 32"),
        ({"height": 4096}, "options.height", "nearest size is 1024"),
        ({"height": 2**31 - 1}, "options.height", "nearest size is 1024"),
        ({"fps": -24}, "options.fps", "between 1 and 60"),
        ({"fps": 10**9}, "options.fps", "between 1 and 60"),
        ({"steps": 7}, "options.steps", "10, 20, 50"),
        ({"steps": -1}, "options.steps", "10, 20, 50"),
        ({"guidance_scale": math.nan}, "options.guidance_scale", "between 0 and 30"),
        ({"guidance_scale": math.inf}, "options.guidance_scale", "between 0 and 30"),
        ({"guidance_scale": -1.0}, "options.guidance_scale", "between 0 and 30"),
        ({"guidance_scale": 31.0}, "options.guidance_scale", "between 0 and 30"),
        ({"seed": 2**63}, "options.seed", "2**63 - 1"),
        ({"codec": 99}, "options.codec", "h264, vp9, jpeg, png"),
        ({"codec": pb.AV1}, "options.codec", "av1 is not served"),
        ({"request_id": "x" * 65}, "options.request_id", "64"),
        ({"request_id": "two words"}, "options.request_id", "visible ASCII"),
        ({"request_id": "line\nbreak"}, "options.request_id", "visible ASCII"),
        ({"request_id": "小猫"}, "options.request_id", "visible ASCII"),
    ],
)
def test_bad_options(validator, fields, field, remedy):
    with pytest.raises(InvalidRequest) as caught:
        validator.spec(pb.VideoOptions(**fields))
    assert caught.value.field == field
    assert remedy in caught.value.remedy


def test_a_story(validator, model):
    story = validator.story("一只可爱的小猫\n在庭院里玩耍", 0)
    assert story.text == "一只可爱的小猫\n在庭院里玩耍"
    assert story.max_scenes == 2  # however long its scenes are, 8 s at most: the video keeps to its 20
    assert validator.story("x" * 4000, 2).max_scenes == 2
    for letters in ("각", "ế", "é", "ｱ", "か\u3099"):  # which are several once they are taken apart
        assert validator.story(letters * (4000 // len(letters)), 2).text == letters * (4000 // len(letters))


@pytest.mark.parametrize(
    ("text", "max_scenes", "field", "remedy"),
    [
        ("", 0, "story.text", "empty"),
        (" \n\t\u3000", 0, "story.text", "empty"),
        ("x" * 4001, 0, "story.text", "at most 4000"),
        ("x" * 2**20, 0, "story.text", "at most 4000"),
        ("a\x00b", 0, "story.text", "U+0000 at 1"),
        ("a\x1b[31m", 0, "story.text", "U+001B"),
        ("a\x7f", 0, "story.text", "U+007F"),
        ("a\x85", 0, "story.text", "U+0085"),
        ("a\ud800", 0, "story.text", "U+D800"),
        ("\ufeff\u200b\u2060", 0, "story.text", "empty"),
        ("\ufdfa" * 4000, 0, "story.text", "more than 8000 characters once its ligatures are written out"),
        ("ok", -1, "story.max_scenes", "between 1 and 2"),
        ("ok", 5, "story.max_scenes", "between 1 and 2"),
    ],
)
def test_bad_stories(validator, text, max_scenes, field, remedy):
    with pytest.raises(InvalidRequest) as caught:
        validator.story(text, max_scenes)
    assert caught.value.field == field
    assert remedy in caught.value.remedy


def test_scenes(validator):
    assert validator.scene(pb.Scene(prompt="a cat")) == Scene("a cat")
    full = pb.Scene(prompt="a cat", negative_prompt="a dog", seconds=1.5, camera=pb.PAN_RIGHT, seed=0)
    assert validator.scene(full) == Scene("a cat", 1.5, "pan right", "a dog", 0)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"prompt": ""}, "scene.prompt"),
        ({"prompt": "x" * 1001}, "scene.prompt"),
        ({"prompt": "a\x00"}, "scene.prompt"),
        ({"prompt": "a", "negative_prompt": "x" * 2**20}, "scene.negative_prompt"),
        ({"prompt": "a", "negative_prompt": "\x00"}, "scene.negative_prompt"),
        ({"prompt": "a", "seconds": -1.0}, "scene.seconds"),
        ({"prompt": "a", "seconds": 10.5}, "scene.seconds"),
        ({"prompt": "a", "seconds": 1e9}, "scene.seconds"),
        ({"prompt": "\u200b"}, "scene.prompt"),
        ({"prompt": "a", "seconds": math.nan}, "scene.seconds"),
        ({"prompt": "a", "seconds": math.inf}, "scene.seconds"),
        ({"prompt": "a", "camera": 99}, "scene.camera"),
        ({"prompt": "a", "camera": -1}, "scene.camera"),
        ({"prompt": "a", "seed": 2**64 - 1}, "scene.seed"),
    ],
)
def test_bad_scenes(validator, fields, field):
    with pytest.raises(InvalidRequest) as caught:
        validator.scene(pb.Scene(**fields))
    assert caught.value.field == field


def test_a_video_has_a_limit_of_scenes_and_of_seconds(validator):
    spec = validator.spec(pb.VideoOptions())
    short = validator.film(spec)
    for _ in range(4):
        short.add(Scene("a"))  # one segment each: 16 frames at 16 fps
    with pytest.raises(InvalidRequest, match="at most 4 scenes"):
        short.add(Scene("a"))
    long = validator.film(spec)
    long.add(Scene("a", 10.0))
    long.add(Scene("a", 9.0))
    long.add(Scene("a"))
    with pytest.raises(InvalidRequest, match="with scene 4 the video is longer than the 20 s"):
        long.add(Scene("a"))
    tenths = validator.film(spec)
    for seconds in (5.4, 6.2, 6.1, 2.3):
        tenths.add(Scene("a", seconds))  # 20.0 s, however these add up in binary
    assert sum((5.4, 6.2, 6.1, 2.3)) > 20


def test_every_field_of_the_wire_is_named_in_this_table():
    """A field added to the proto must be validated, and tried above."""
    fields = {
        message: set(getattr(pb, message).DESCRIPTOR.fields_by_name) for message in ("VideoOptions", "Scene", "Story")
    }
    assert fields == {
        "VideoOptions": {"request_id", "width", "height", "fps", "seed", "steps", "guidance_scale", "codec"},
        "Scene": {"prompt", "negative_prompt", "seconds", "camera", "seed"},
        "Story": {"text", "max_scenes"},
    }


def test_a_scene_without_a_length_may_be_too_long_at_a_low_rate(validator, model):
    slow = validator.spec(pb.VideoOptions(fps=1))
    assert model.segment_frames > LIMITS.scene_seconds
    with pytest.raises(InvalidRequest, match=r"scene\.seconds: a scene without a length has 16 s at this options\.fps"):
        validator.film(slow).add(Scene("a cat"))
    validator.film(slow).add(Scene("a cat", 2.0))


def test_a_number_beyond_its_limit_is_told_as_it_is(validator):
    with pytest.raises(InvalidRequest, match=r"10\.0000001 is not between 0 and 10"):
        validator.scene(pb.Scene(prompt="a cat", seconds=10.0000001))
