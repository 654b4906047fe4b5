"""A story of nothing that the planner has learnt is refused; plurals and cases are not."""

import random
import re

import pytest

from framecast.errors import InvalidRequest
from framecast.planner.grammar import prompts_of
from framecast.planner.subjects import EVERYTHING, Subjects
from framecast.train.bundle import planner_subjects
from framecast.train.world.vocabulary import SUBJECTS

STORYBOOK = Subjects(planner_subjects())


@pytest.mark.parametrize(
    "story",
    [
        "Kittens play in the garden.",
        "THE DOG sleeps.",
        "two butterflies",
        "The fishes swim",
        "一只可爱的小猫在庭院里玩耍",
        "红色的车",
        "一隻可愛的小貓在庭院裡玩耍",
        "Ａ　ｒｅｄ　ｃａｒ",
        "a hot-air balloon",
    ],
)
def test_what_it_knows(story: str) -> None:
    assert STORYBOOK.named(story).there


@pytest.mark.parametrize(
    "story",
    [
        "A dinosaur walks on Mars.",
        "12345",
        "🐱🏖️",
        "asdfgh",
        "Un chat joue dans la neige.",
        "恐龙在火星上散步",
        "The category is scarce.",
        "Parliament votes on the new budget",
    ],
)
def test_what_it_does_not(story: str) -> None:
    with pytest.raises(
        InvalidRequest, match=r"^text: names nothing that this bundle has learnt to film: kitten 小猫, dog 小狗, "
    ):
        STORYBOOK.named(story)


def test_a_planner_without_subjects_takes_everything() -> None:
    assert Subjects({}).named("A dinosaur walks on Mars.") == EVERYTHING


def test_a_prompt_has_no_other_subject_than_the_story() -> None:
    """Words drawn at random, told apart without the grammar's expression."""
    named = STORYBOOK.named("Two balloons and 一只小猫")
    assert set(named.there) == {"balloon", "kitten"}
    assert {"ball", "boat"} < set(named.missing)
    assert set(named.there) | set(named.missing) == set(SUBJECTS)
    expression, rng = re.compile(prompts_of(named)), random.Random(1)
    words = [*SUBJECTS, "a", "balls", "boa", "boatman", "bo", "ca", "carpet", "with", "kittens", "balloons", "do", "on"]
    allowed = 0
    for _ in range(3000):
        chosen = [rng.choice(words) for _ in range(rng.randrange(1, 5))]
        right = all(word in named.there or not word.startswith(named.missing) for word in chosen)
        text = rng.choice((" ", ", ", " 一 ")).join(chosen)
        assert (expression.search(text) is not None) == right, text
        allowed += right
    assert 300 < allowed < 2700
