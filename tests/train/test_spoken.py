"""Stories as people talk: tenses, clauses that hang together, and words that mean one thing."""

import random
import re
from collections import Counter
from dataclasses import replace

import pytest

from framecast.train import spoken, spoken_words
from framecast.train.habits import USUAL
from framecast.train.stories import sample_story
from framecast.train.world.scene import Scene
from framecast.train.world.vocabulary import ACTIONS, PLACES, Language

SPOKEN = replace(USUAL, spoken=1.0, sparse=0.0)


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("flies up", "flew up"),
        ("is playing", "was playing"),
        ("hops around", "hopped around"),
        ("dances", "danced"),
        ("rushes by", "rushed by"),
        ("goes home and sleeps", "went home and slept"),
        ("lies in the sun", "lay in the sun"),
    ],
)
def test_what_happens_has_happened(now: str, then: str) -> None:
    assert spoken.past(now) == then


def test_every_verb_has_a_past() -> None:
    phrases = [p for a in ACTIONS.values() for p in a.english] + [
        p for v in spoken_words.VERBS["en"].values() for p in v
    ]
    assert [p for p in phrases if spoken.past(p) == p] == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_word_means_two_actions_or_two_places(language: Language) -> None:
    of = "english" if language == "en" else "chinese"
    for world, others in ((ACTIONS, spoken_words.VERBS), (PLACES, spoken_words.PLACES)):
        meanings = Counter(
            word
            for name, known in world.items()
            for word in {*getattr(known, of), *others[language][name]}  # type: ignore[literal-required]
        )
        assert [word for word, count in meanings.items() if count > 1] == []


def test_a_clause_without_its_subject_hangs_on_the_one_before() -> None:
    rng = random.Random(1)
    told = {
        tuple(spoken.linked(["a bird flies", "then it lands in a forest", "a dog runs"], rng, "en", 1.0))
        for _ in range(40)
    }
    assert ("a bird flies, then lands in a forest", "a dog runs") in told
    assert all(len(sentences) == 2 for sentences in told)
    assert spoken.linked(["小鸟飞", "然后它们落下"], random.Random(2), "zh", 1.0)[0].endswith("落下")
    assert spoken.linked(["a bird flies", "it lands"], rng, "en", 0.0) == ["a bird flies", "it lands"]


def test_a_place_is_gone_to_and_has_its_weather() -> None:
    rng = random.Random(3)
    scene = Scene("bird", "blue", "desert", "fly")
    said = {spoken.place(scene, rng, "en", 1.0) for _ in range(200)}
    assert {"over the desert", "into the desert", "through the desert"} <= said
    assert {spoken.going(scene, rng, 2.0) for _ in range(300)} >= {"飞过沙漠", "飞到沙漠", "飞越沙丘"}
    assert spoken.weathered("in the forest", "rain", rng, "en") == "in the rainy forest"
    assert spoken.weathered("in a park", "snow", rng, "en") == "in a snowy park"
    assert spoken.weathered("at home", "snow", rng, "en") is None
    assert spoken.weathered("in the forest", "clear", rng, "en") is None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_stories_are_also_told_as_people_talk(language: Language) -> None:
    rng = random.Random(4)
    stories = [sample_story(rng, language, habits=SPOKEN) for _ in range(1500)]
    texts = [story.text.lower() for story in stories]
    words = spoken_words
    for told in (words.REMARKS, words.OWNERS, words.LEADS):
        assert any(word.strip().lower() in text for text in texts for word in told[language])
    for light, said in words.LIGHTS[language].items():
        rare = [word for word in said if "sun" not in word]
        found = [story for story in stories if any(word in story.text.lower() for word in rare)]
        assert found
        assert all(any(shot.scene.light == light for shot in story.shots) for story in found), light
    forms = {"en": "lived .*in |, then [a-z]+ed |\\b(he|she)\\b", "zh": "住在|[漂飘飞跑开]着[一]|[他她]"}[language]
    assert sum(bool(re.search(forms, text)) for text in texts) > 150


def test_plain_sentences_stay_plain() -> None:
    rng, habits = random.Random(5), replace(USUAL, spoken=0.0)
    texts = [sample_story(rng, "en", habits=habits).text for _ in range(600)]
    assert not any(re.search(r"\b(he|she|lived|flew|pink|ginger)\b", text) for text in texts)
