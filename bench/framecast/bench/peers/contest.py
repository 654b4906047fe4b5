"""Two contenders, turn by turn."""

import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import av
import numpy as np

from framecast.bench.peers.ratio import Ratio, ratio

MOST_DIFFERENCE = 1.0  # mean absolute difference of two videos that count as the same, in levels of 255


@dataclass(frozen=True)
class Lap:
    """What a contender made in one turn.

    Attributes:
        first_frames: seconds to the first frame of each video; empty: it gives a video as a whole.
        totals: seconds of each video.
        seconds: of the whole turn.
    """

    first_frames: tuple[float, ...]
    totals: tuple[float, ...]
    seconds: float


class Contender(Protocol):
    """One side."""

    def lap(self, seed: int) -> Lap:
        """Makes the videos of a turn; their seeds begin at `seed`."""
        ...

    def pictures(self, seed: int) -> Sequence[bytes]:
        """The frames of a video, as PNG: what the other side's are compared with."""
        ...


@dataclass(frozen=True)
class Contest:
    """What came of it.

    Attributes:
        speedup: their seconds a video ÷ ours.
        ttff_ratio: our seconds to the first frame ÷ theirs, or ÷ their total where they give a video as a whole.
        throughput_ratio: our videos a second ÷ theirs.
        level_difference: mean absolute difference of the same video by both, of 255.
        ours, theirs: the turns.
    """

    speedup: Ratio
    ttff_ratio: Ratio | None
    throughput_ratio: Ratio
    level_difference: float
    ours: tuple[Lap, ...]
    theirs: tuple[Lap, ...]

    def results(self) -> dict[str, Any]:
        """Figures for a record. Ratios are of medians, which a busy turn does not move; `…_pooled` are of all
        seconds together, which they do.
        """
        found: dict[str, Any] = {}
        for name in ("speedup", "ttff_ratio", "throughput_ratio"):
            each: Ratio | None = getattr(self, name)
            if each is not None:
                found[name], found[f"{name}_interval"] = each.value, [each.low, each.high]
        mine, other = (sum(total for lap in laps for total in lap.totals) for laps in (self.ours, self.theirs))
        busy, other_busy = (sum(lap.seconds for lap in laps) for laps in (self.ours, self.theirs))
        found |= {"speedup_pooled": other / mine, "throughput_ratio_pooled": other_busy / busy}
        for name, laps in (("ours", self.ours), ("theirs", self.theirs)):
            found[f"{name}_latency_median"] = float(np.median([total for lap in laps for total in lap.totals]))
            if firsts := [first for lap in laps for first in lap.first_frames]:
                found[f"{name}_ttff_median"] = float(np.median(firsts))
            found[f"{name}_throughput_qps"] = sum(len(lap.totals) for lap in laps) / sum(lap.seconds for lap in laps)
        return {**found, "rounds": len(self.ours), "level_difference": self.level_difference}

    def samples(self) -> dict[str, Any]:
        """Every turn, as plain data."""
        return {"ours": [asdict(lap) for lap in self.ours], "theirs": [asdict(lap) for lap in self.theirs]}


def contest(
    ours: Contender, theirs: Contender, rounds: int, seed: int = 1, progress: Callable[[str], None] = lambda text: None
) -> Contest:
    """Compares one video of both, warms both up, then lets them take turns: A B A B.

    Raises:
        ValueError: they do not make the same video. No speed is reported then.
    """
    progress("the same video by both")
    difference = level_difference(ours.pictures(seed), theirs.pictures(seed))
    if not difference <= MOST_DIFFERENCE:
        raise ValueError(f"the two videos are {difference:.2f} levels apart, at most {MOST_DIFFERENCE:g} is allowed")
    progress("warming up")
    ours.lap(seed)
    theirs.lap(seed)
    laps: list[tuple[Lap, Lap]] = []
    for index in range(rounds):
        progress(f"round {index + 1} of {rounds}")
        start = seed + 1000 * (index + 1)
        laps.append((ours.lap(start), theirs.lap(start)))
    mine, other = tuple(a for a, _ in laps), tuple(b for _, b in laps)
    firsts = [lap.first_frames for lap in mine]
    waits = [lap.first_frames or lap.totals for lap in other]
    rates = [[[len(lap.totals) / lap.seconds] for lap in side] for side in (mine, other)]
    return Contest(
        ratio([lap.totals for lap in other], [lap.totals for lap in mine]),
        ratio(firsts, waits) if all(firsts) else None,
        ratio(rates[0], rates[1]),
        difference,
        mine,
        other,
    )


def level_difference(ours: Sequence[bytes], theirs: Sequence[bytes]) -> float:
    """Mean absolute difference of two series of PNGs, in levels of 255; infinite when their number or size differs."""
    if len(ours) != len(theirs) or not ours:
        return float("inf")
    total = 0.0
    for one, other in zip(ours, theirs, strict=True):
        a, b = _pixels(one), _pixels(other)
        if a.shape != b.shape:
            return float("inf")
        total += float(np.abs(a - b).mean())
    return total / len(ours)


def _pixels(png: bytes) -> Any:
    with av.open(io.BytesIO(png), "r") as image:
        return next(image.decode(video=0)).to_ndarray(format="rgb24").astype(np.int16)
