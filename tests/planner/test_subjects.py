"""A story of nothing that the planner has learnt is refused; plurals and cases are not."""

import pytest

from framecast.errors import InvalidRequest
from framecast.planner.subjects import Subjects
from framecast.train.bundle import planner_subjects

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
        "一只kitten在庭院里玩耍",
        "car在街上",
    ],
)
def test_what_it_knows(story: str) -> None:
    assert STORYBOOK.named(story)


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
    assert Subjects({}).named("A dinosaur walks on Mars.") == ()


def test_which_it_knows() -> None:
    assert set(STORYBOOK.named("Two balloons and 一只小猫")) == {"balloon", "kitten"}
