"""Captions, stories and storyboards."""

import itertools
import json
import random
import re
from dataclasses import replace

import pytest

from framecast.train.captions import canonical, free, parse, training_caption
from framecast.train.characters import SIMPLIFIED, traditional
from framecast.train.habits import USUAL
from framecast.train.stories import MAX_SCENES, sample_story, storyboard
from framecast.train.surroundings import (
    CLEARING,
    HEADINGS,
    HOMECOMING,
    NIGHTFALL,
    OWNERS,
    SKIES,
    SLUG_LIGHTS,
    SLUG_PLACES,
)
from framecast.train.wordings import plural_noun
from framecast.train.world.circumstances import CAMERAS, LIGHTS, WEATHERS
from framecast.train.world.scene import Scene, all_combinations, held_out, sample_scene, with_friend
from framecast.train.world.vocabulary import SUBJECTS, Language


def test_canonical_form() -> None:
    assert canonical(Scene("kitten", "white", "courtyard", "play")) == "a white kitten plays in the courtyard, day"
    moving = Scene("fish", "orange", "beach", "left", "night", camera="zoom in")
    assert canonical(moving) == "an orange fish moves left on the beach, night, zoom in"
    assert canonical(moving, camera=False) == "an orange fish moves left on the beach, night"
    pair = Scene("tree", "green", "room", "spin", weather="snow", friend="ball", friend_colour="orange")
    assert canonical(pair) == "a green tree with an orange ball spins in the living room, day, snowing"


def test_parse_inverts_canonical_everywhere() -> None:
    for i, combination in enumerate(all_combinations()):
        light, camera = list(LIGHTS)[i % len(LIGHTS)], list(CAMERAS)[i % len(CAMERAS)]
        scene = Scene(*combination, light=light, camera=camera, weather=list(WEATHERS)[i % len(WEATHERS)])
        if i % 5 == 0:
            scene = with_friend(scene, random.Random(i))
        assert parse(canonical(scene)) == scene


@pytest.mark.parametrize(
    "caption",
    ["", "a kitten", "a white kitten sleeps in the courtyard, day", "a white unicorn plays in the courtyard, day",
     "a white kitten plays in the courtyard, dawn", "a white kitten plays in the courtyard"],
)  # fmt: skip
def test_parse_refuses_what_is_not_canonical(caption: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(caption)


def test_free_captions_vary_and_stay_in_their_language() -> None:
    rng, scene = random.Random(1), Scene("kitten", "white", "courtyard", "play")
    english = {free(scene, rng, "en") for _ in range(50)}
    chinese = {free(scene, rng, "zh") for _ in range(50)}
    assert len(english) > 30
    assert len(chinese) > 30
    assert all(text.isascii() for text in english)
    assert all("white" in text for text in english)
    assert all("白" in text for text in chinese)


def test_training_captions_are_mostly_canonical() -> None:
    rng = random.Random(2)
    scenes = [sample_scene(rng) for _ in range(400)]
    share = sum(training_caption(s, rng) == canonical(s) for s in scenes) / len(scenes)
    assert 0.6 < share < 0.8


@pytest.mark.parametrize("language", ["en", "zh"])
def test_storyboards_are_true_to_the_format(language: str) -> None:
    rng, unseen = random.Random(3), held_out()
    for _ in range(200):
        story = sample_story(rng, language, excluded=unseen)  # type: ignore[arg-type]
        board = json.loads(storyboard(story.shots))
        assert list(board) == ["scenes"]
        assert 1 <= len(board["scenes"]) <= MAX_SCENES
        for shot, scene in zip(story.shots, board["scenes"], strict=True):
            assert list(scene) == ["prompt", "seconds", "camera"]
            assert parse(scene["prompt"]).combination == shot.scene.combination
            assert 1 <= scene["seconds"] <= 8
            assert scene["camera"] in CAMERAS
        assert " " not in storyboard(story.shots).replace(canonical(story.shots[0].scene, camera=False), "")[:30]


def test_identity_is_kept_by_pronouns() -> None:
    rng = random.Random(4)
    kept = 0
    for _ in range(300):
        story = sample_story(rng, "zh")
        for before, after in zip(story.shots, story.shots[1:], strict=False):
            same = (before.scene.subject, before.scene.colour) == (after.scene.subject, after.scene.colour)
            kept += same
    assert kept > 100


def test_the_storyboard_is_minified_in_a_fixed_order() -> None:
    story = sample_story(random.Random(5), "en")
    text = storyboard(story.shots)
    assert text.startswith('{"scenes":[{"prompt":"')
    assert '","seconds":' in text
    assert text.endswith('"}]}')


def test_traditional_spelling_is_read_back() -> None:
    assert traditional("小猫在庭院里") == "小貓在庭院裡" or traditional("小猫在庭院里") == "小貓在庭院裏"
    for simple in ("小汽车", "热气球", "蝴蝶", "宇宙飞船"):
        written = traditional(simple)
        assert "".join(SIMPLIFIED.get(c, c) for c in written) == simple


@pytest.mark.parametrize(
    ("noun", "many"), [("dog", "dogs"), ("puppy", "puppies"), ("goldfish", "goldfish"), ("toy ball", "toy balls")]
)
def test_nouns_in_the_plural(noun: str, many: str) -> None:
    assert plural_noun(noun) == many


def test_stories_are_also_worded_sparsely_in_plurals_and_as_lists() -> None:
    rng = random.Random(4)
    stories = [sample_story(rng, "zh" if i % 2 else "en") for i in range(1500)]
    texts = [story.text for story in stories]
    english = ("\n2. ", "two ", "some ", "there is a", "without rain", "It is raining. ", "! ")
    for part in (*english, "\n2、", "有一", "们", "没有雨", "下雪了。"):
        assert any(part in text for text in texts), part
    long = [story for story in stories if re.search("(10|十)秒|(10|ten) seconds", story.text)]
    assert long
    assert all(any(shot.seconds == 8 for shot in story.shots) for story in long), "a scene ends after eight seconds"


def test_a_denied_subject_is_in_the_story_and_not_in_its_storyboard() -> None:
    rng = random.Random(7)
    others = {"cast": 0.0, "sparse": 0.0, "many": 0.0, "another": 0.0, "beside": 0.0, "spoken": 0.0}
    habits = replace(USUAL, denied=1.0, **others)
    for language, denies in (("en", re.compile(r"\bnot\b|\band no\b", re.IGNORECASE)), ("zh", re.compile("不是"))):
        for _ in range(100):
            story = sample_story(rng, language, habits=habits)  # type: ignore[arg-type]
            who = story.shots[0].scene
            assert denies.search(story.text) or who.friend, story.text
            assert len({shot.scene.subject for shot in story.shots}) == 1


def test_a_cast_has_another_subject_in_nearly_every_sentence() -> None:
    rng, habits = random.Random(8), replace(USUAL, cast=1.0, sparse=0.0)
    pairs = [
        (before.scene.subject, after.scene.subject)
        for _ in range(200)
        for story in [sample_story(rng, "en", habits=habits)]
        for before, after in itertools.pairwise(story.shots)
    ]
    assert sum(a != b for a, b in pairs) > 0.85 * len(pairs) > 150


def test_no_scene_that_is_learnt_from_is_a_held_out_combination() -> None:
    """Neither the first nor a later one, and what is not said is a default too."""
    rng, unseen = random.Random(9), held_out()
    for i in range(600):
        story = sample_story(rng, "zh" if i % 2 else "en", excluded=unseen)
        assert not unseen.intersection(shot.scene.combination for shot in story.shots), story.text
        assert sample_story(rng, "en", seen=False).shots[0].scene.combination in unseen


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_told_around_changes_the_time_and_the_weather_only(language: Language) -> None:
    rng, habits = random.Random(10), replace(USUAL, beside=0.9, sparse=0.0, cast=0.0, scenes=(3,))
    stories = [sample_story(rng, language, habits=habits) for _ in range(900)]
    texts = [(story.text.lower(), story.shots) for story in stories]
    for light, words in NIGHTFALL[language].items():
        found = [shots for text, shots in texts if any(word in text for word in words)]
        assert len(found) > 20
        assert all(any(shot.scene.light == light for shot in shots) for shots in found)
    for fell, words in CLEARING[language].items():
        found = [shots for text, shots in texts if any(word in text for word in words)]
        assert found
        assert all({fell, "clear"} <= {shot.scene.weather for shot in shots} for shots in found)
    for told in (SKIES, HEADINGS, HOMECOMING, OWNERS):
        assert any(word.strip().lower() in text for text, _ in texts for word in told[language])
    assert any(re.match(r"(scene|shot|day|\(|场景|第|镜头|（).*\n", text) for text, _ in texts)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_film_script_says_place_and_time_above_every_scene(language: Language) -> None:
    rng, habits = random.Random(12), replace(USUAL, beside=0.9, sparse=0.0, cast=0.0, scenes=(2, 3))
    heading = {"en": r"^(?:\d\. )?(INT|EXT)\. (.+) - ([A-Z]+)$", "zh": r"^第.场 (?:(外景|内景) )?(\S+) (\S+)$"}[
        language
    ]
    found = 0
    for _ in range(300):
        story = sample_story(rng, language, habits=habits)
        if heads := re.findall(heading, story.text, re.MULTILINE):
            found += 1
            assert len(heads) == len(story.shots), story.text
            for (side, place, light), shot in zip(heads, story.shots, strict=True):
                assert place in SLUG_PLACES[language][shot.scene.place]
                assert not side or (side in ("INT", "内景")) == (shot.scene.place == "room")
                assert light in SLUG_LIGHTS[language][shot.scene.light]
    assert found > 20


@pytest.mark.parametrize(
    ("subject", "place"), [("boat", "sea"), ("fish", "sea"), ("train", "street"), ("kitten", "meadow")]
)
def test_who_is_told_of_alone_is_where_it_belongs(subject: str, place: str) -> None:
    rng, habits = random.Random(11), replace(USUAL, sparse=1.0)
    stories = [sample_story(rng, "en", habits=habits) for _ in range(2500)]
    bare = [story.shots[0].scene for story in stories if story.text in SUBJECTS[subject].english]
    assert {(scene.subject, scene.place) for scene in bare} == {(subject, place)}
