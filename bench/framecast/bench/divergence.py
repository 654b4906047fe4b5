"""Whether a server keeps up with what it is asked, decided while the load runs."""

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise


class State(str, Enum):
    """Of a load: the server keeps up, its queue grows without bound, it turns callers away, or it makes nothing; or
    somebody broke the load off.
    """

    STEADY = "steady"
    DIVERGING = "diverging"
    REFUSING = "refusing"
    FAILING = "failing"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Verdict:
    """A state and why, in one sentence."""

    state: State
    reason: str = ""


@dataclass(frozen=True)
class DivergenceRules:
    """When a load counts as more than the server can take.

    Attributes:
        block: arrivals over which the number in flight is averaged; so many failures in a row: it is gone.
        blocks: how many blocks in a row it must have grown.
        sigmas: how far arrivals must have run ahead of completions over those blocks. For Poisson counts the
            difference has the deviation √(arrivals + completions), so a load ρ = arrivals ÷ completions is noticed
            after about sigmas² · (1 + 1/ρ) ÷ (1 - 1/ρ)² arrivals: 54 at ρ = 2, some 300 at 1.3.
        max_in_flight: more than this at once is divergence, whatever the trend.
        max_refused: the share of refused videos beyond which the server is refusing, judged over `block` arrivals.
    """

    block: int = 12
    blocks: int = 4
    sigmas: float = 3.0
    max_in_flight: int = 512
    max_refused: float = 0.05


class DivergenceWatch:
    """Counts arrivals and ends; `verdict` is STEADY until it is something else, and then stays so."""

    def __init__(self, rules: DivergenceRules | None = None) -> None:
        self._rules = rules or DivergenceRules()
        self.in_flight = 0
        self._arrived = self._ended = self._refused = self._failed_in_a_row = 0
        self._sum = 0
        self._blocks: deque[tuple[float, int, int]] = deque(maxlen=self._rules.blocks)  # mean in flight, ends, refused
        self._before = (0, 0)
        self.verdict = Verdict(State.STEADY)

    def arrived(self) -> Verdict:
        """One more video is asked for."""
        rules = self._rules
        self._arrived += 1
        self.in_flight += 1
        self._sum += self.in_flight
        if self.in_flight > rules.max_in_flight:
            self._decide(State.DIVERGING, f"more than {rules.max_in_flight} videos are in flight")
        if self._arrived % rules.block == 0:
            ended, refused = self._before
            self._blocks.append((self._sum / rules.block, self._ended - ended, self._refused - refused))
            self._before, self._sum = (self._ended, self._refused), 0
            self._judge()
        return self.verdict

    def ended(self, *, refused: bool = False, failed: bool = False) -> None:
        """One video has ended, well or not; `refused` when the server had no room for it, `failed` of all else."""
        self.in_flight -= 1
        self._ended += 1
        self._refused += refused
        self._failed_in_a_row = self._failed_in_a_row + 1 if failed else 0
        if self._failed_in_a_row >= self._rules.block:
            self._decide(State.FAILING, f"the last {self._failed_in_a_row} videos have failed, one after the other")

    def _judge(self) -> None:
        rules, blocks = self._rules, self._blocks
        refused = blocks[-1][2]
        if refused > rules.max_refused * rules.block and refused >= 2:
            self._decide(State.REFUSING, f"{refused} of the last {rules.block} videos were refused")
        if len(blocks) < rules.blocks:
            return
        means = [mean for mean, _, _ in blocks]
        arrived, ended = rules.block * rules.blocks, sum(count for _, count, _ in blocks)
        growing = all(later > earlier for earlier, later in pairwise(means))
        # The backlog since the run began says whether this is a trend; the blocks, whether it still goes on.
        backlog, noise = self._arrived - self._ended, math.sqrt(self._arrived + self._ended)
        if growing and ended < arrived and backlog > rules.sigmas * noise:
            self._decide(
                State.DIVERGING,
                f"videos in flight grew from {means[0]:.1f} to {means[-1]:.1f} over the last {arrived} arrivals, "
                f"{ended} of which were answered",
            )

    def _decide(self, state: State, reason: str) -> None:
        if self.verdict.state is State.STEADY:
            self.verdict = Verdict(state, reason)
