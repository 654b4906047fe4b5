"""Who shares the next step, and what batches cost."""

from dataclasses import dataclass

import pytest

from framecast.denoiser.batcher import BatcherLimits
from framecast.denoiser.costs import LearningRules, StepCosts
from framecast.denoiser.turns import TurnRules, next_batch


@dataclass(eq=False)
class Turn:
    name: str
    left: float
    first: bool = False
    bucket: str = "small"
    steps: int = 8
    submitted: float = 0.0
    passed: int = 0


def chosen(*live: Turn, seconds: tuple[float | None, ...] = (1, 2, 3, 4), rules: TurnRules | None = None) -> str:
    return "".join(turn.name for turn in next_batch(live, lambda _, batch: seconds[batch - 1], rules or TurnRules()))


def test_a_first_segment_goes_before_later_ones_however_far_they_are() -> None:
    assert chosen(Turn("a", 1), Turn("b", 8, first=True)) == "b"


def test_of_equals_the_least_work_goes_first_then_the_oldest() -> None:
    assert chosen(Turn("a", 8, submitted=1), Turn("b", 5, submitted=2)) == "b"
    assert chosen(Turn("a", 8, True, submitted=2), Turn("b", 8, True, submitted=1)) == "b"


def test_patience_ends_and_then_the_oldest_goes_first() -> None:
    hungry = Turn("a", 8, submitted=5, passed=64)
    assert chosen(hungry, Turn("b", 1, first=True)) == "a"
    assert chosen(hungry, Turn("b", 8, submitted=4, passed=64)) == "b"
    assert chosen(Turn("a", 8, passed=63), Turn("b", 1, first=True)) == "b"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ((1, 2, 3, 4), 1),  # no gain at all
        ((1, 1.9, 2.8, 3.65), 1),  # a tenth at most: not worth it
        ((1, 1.5, 2.4, 3.3), 2),
        ((1, 1.1, 1.27, 1.44), 3),  # nearly as good as four
        ((1, 1.1, 1.2, 1.3), 4),  # rows are nearly free
        ((1, 2, 3, 2), 4),  # a size that the device likes
    ],
)
def test_a_batch_is_as_large_as_it_pays(seconds: tuple[float, ...], expected: int) -> None:
    assert chosen(*(Turn(name, 8) for name in "abcd"), seconds=seconds) == "abcd"[:expected]


def test_only_neighbours_of_the_leaders_shape_come_along_and_no_more_than_fit() -> None:
    live = [Turn("a", 3), Turn("b", 2, bucket="large"), Turn("c", 4), Turn("d", 5), Turn("e", 6, bucket="large")]
    assert chosen(*live, seconds=(1, 1, 1, 1)) == "be"
    assert chosen(*(turn for turn in live if turn.bucket == "small"), seconds=(1, 1, 1), rules=TurnRules(2)) == "ac"


def test_a_size_whose_cost_is_not_known_is_tried() -> None:
    assert chosen(*(Turn(name, 8) for name in "abcd"), seconds=(1, 2, None, None)) == "abc"


def test_nobody_is_slower_than_by_turns_among_all_that_patience_allows() -> None:
    """A stream of first segments without end, on a device where batches do not pay."""
    rules, later, taken = TurnRules(patience=8), Turn("z", 8), 0
    while later.left:
        (turn,) = next_batch([later, Turn("n", 8, first=True)], lambda _, batch: float(batch), rules)
        taken += 1
        later.left -= turn is later
        later.passed += turn is not later
    assert taken == (1 + rules.patience) * later.steps


def test_costs_are_the_fastest_of_the_latest_steps() -> None:
    costs = StepCosts(LearningRules(trials=2, window=3, retry=1000))
    costs.measured("a", 1, 9.0)  # the first of a size compiles
    assert costs.seconds("a", 1) is None
    costs.measured("a", 1, 1.0)
    assert costs.seconds("a", 1) == 1.0
    assert costs.seconds("a", 2) is None
    assert costs.seconds("b", 1) is None
    for _ in range(3):
        costs.measured("a", 1, 2.0)
    assert costs.seconds("a", 1) == 2.0  # the fast one is forgotten


def test_every_size_is_tried_again_from_time_to_time() -> None:
    costs, tried = StepCosts(LearningRules(trials=1, retry=4)), []
    for batch in (1, 2):
        costs.measured("a", batch, float(batch))
    for _ in range(100):
        unknown = [batch for batch in (1, 2) if costs.seconds("a", batch) is None]
        tried += unknown
        costs.measured("a", unknown[0] if unknown else 1, 1.0)
    assert len(tried) == 25
    assert set(tried) == {1, 2}


def test_shapes_that_are_not_asked_for_any_more_are_forgotten() -> None:
    costs = StepCosts(LearningRules(trials=1, buckets=2))
    for bucket in "abc":
        costs.measured(bucket, 1, 1.0)
    assert [costs.seconds(bucket, 1) for bucket in "abc"] == [None, 1.0, 1.0]


def test_limits_are_read_from_text_and_wrong_ones_are_named() -> None:
    assert BatcherLimits.parse("") == BatcherLimits()
    assert BatcherLimits.parse("max_live=1,max_batch=1") == BatcherLimits(max_live=1, max_batch=1)
    assert BatcherLimits.parse("worthwhile=0.5").worthwhile == 0.5
    with pytest.raises(ValueError, match="not 'max_speed'"):
        BatcherLimits.parse("max_speed=1")
    with pytest.raises(ValueError, match="max_live is a number, not 'many'"):
        BatcherLimits.parse("max_live=many")
