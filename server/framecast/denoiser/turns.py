"""Whose turn it is: which of the live segments share the next denoise step.

First frames soon, as many segments an hour as the device can make, and nobody left behind:

1. Before a video's first segment somebody sits in front of an empty screen, so it goes before later ones, at any step's
   boundary.
2. Among equals the least work left goes first: it makes the mean wait the shortest (Schrage, Operations Research 16,
   1968). Taking turns would have all of them ready late, at about the same time.
3. Who has been passed over for `patience` times its own steps goes before all others, oldest first, until it is done:
   nobody is slower than by turns among `patience` + 1.
4. Neighbours of the same shape come along as far as it pays: where a step costs in proportion to its rows everybody
   runs alone, and where rows are nearly free everybody comes along. Under load nothing brings first frames sooner than
   what the device makes an hour.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar


class Turn(Protocol):
    """What the order of turns depends on.

    Attributes:
        bucket: segments of one bucket fit into one batch.
        first: it is the first segment of a video.
        steps: of the whole segment.
        left: work that is left, in any unit that all segments share.
        submitted: when, in any unit.
        passed: steps that others took while it was live.
    """

    @property
    def bucket(self) -> Hashable: ...
    @property
    def first(self) -> bool: ...
    @property
    def steps(self) -> int: ...
    @property
    def left(self) -> float: ...
    @property
    def submitted(self) -> float: ...
    @property
    def passed(self) -> int: ...


T = TypeVar("T", bound=Turn)
#: Seconds of a step of a bucket at a batch size; None: not known, so that it is worth a try. Infinite: it fails.
Costs = Callable[[Hashable, int], float | None]


@dataclass(frozen=True)
class TurnRules:
    """How turns are given.

    Attributes:
        max_batch: segments in one step.
        patience: a segment lets others take at most so many times its own steps.
        worthwhile: the smallest batch is taken whose segments a second are this share of the best one's. The last per
            cent of throughput, where batches hardly pay, would make everybody's first frame late; and measured costs
            differ by a tenth where nothing does.
    """

    max_batch: int = 8
    patience: int = 8
    worthwhile: float = 0.85

    def patience_left(self, turn: Turn) -> int:
        """Steps that it still lets others take; 0 or less: it goes before all others."""
        return self.patience * turn.steps - turn.passed


def next_batch(live: Sequence[T], costs: Costs, rules: TurnRules) -> list[T]:
    """The segments of the next step, at least one if any is live."""
    if len(live) < 2:
        return list(live)

    def rank(turn: T) -> tuple[int, float, float]:
        if rules.patience_left(turn) <= 0:  # without any patience: plain order of arrival
            return 0, 0.0, turn.submitted
        return (1 if turn.first else 2), turn.left, turn.submitted

    ranked = sorted(live, key=rank)
    alike = [turn for turn in ranked if turn.bucket == ranked[0].bucket][: rules.max_batch]
    throughput: list[float] = []
    for batch, turn in enumerate(alike, 1):
        seconds = costs(turn.bucket, batch)
        if seconds is None:
            return alike[:batch]
        throughput.append(batch / max(seconds, 1e-9))
    enough = rules.worthwhile * max(throughput, default=0.0)
    return alike[: next((batch for batch, found in enumerate(throughput, 1) if found >= enough), 0)]
