"""Contests by turns: the ratio's spread, and that no speed is reported of videos that differ."""

import io
from collections.abc import Sequence

import av
import numpy as np
import pytest

from framecast.bench.peers.contest import Lap, contest, level_difference
from framecast.bench.peers.ratio import ratio


def png(level: int, size: int = 16) -> bytes:
    """A grey picture."""
    file = io.BytesIO()
    with av.open(file, "w", format="image2pipe") as image:
        stream = image.add_stream("png")
        stream.width = stream.height = size
        stream.pix_fmt = "rgb24"
        frame = av.VideoFrame.from_ndarray(np.full((size, size, 3), level, np.uint8), format="rgb24")
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            image.mux(packet)
    return file.getvalue()


class Scripted:
    """Takes `seconds` a video; notes when it was asked."""

    def __init__(self, name: str, seconds: float, level: int, turns: list[str], *, streams: bool) -> None:
        self._name, self._seconds, self._level, self._turns, self._streams = name, seconds, level, turns, streams

    def lap(self, seed: int) -> Lap:
        self._turns.append(f"{self._name}{seed}")
        return Lap((self._seconds / 4,) if self._streams else (), (self._seconds,), self._seconds)

    def pictures(self, seed: int) -> Sequence[bytes]:
        return [png(self._level)] * 2


def test_contenders_take_turns_on_the_same_seeds() -> None:
    turns: list[str] = []
    ours, theirs = Scripted("a", 2.0, 100, turns, streams=True), Scripted("b", 3.0, 101, turns, streams=False)
    found = contest(ours, theirs, rounds=3)
    assert turns == ["a1", "b1", "a1001", "b1001", "a2001", "b2001", "a3001", "b3001"]
    assert found.speedup.value == pytest.approx(1.5)
    assert found.throughput_ratio.value == pytest.approx(1.5)
    assert found.ttff_ratio is not None
    assert found.ttff_ratio.value == pytest.approx(0.5 / 3.0)
    results = found.results()
    assert results["speedup_interval"] == pytest.approx([1.5, 1.5])
    assert results["speedup_pooled"] == pytest.approx(1.5)
    assert results["throughput_ratio_pooled"] == pytest.approx(1.5)
    assert results["level_difference"] == pytest.approx(1.0)
    assert len(found.samples()["theirs"]) == 3


def test_no_speed_is_reported_of_videos_that_differ() -> None:
    turns: list[str] = []
    ours, theirs = Scripted("a", 2.0, 100, turns, streams=True), Scripted("b", 3.0, 104, turns, streams=True)
    with pytest.raises(ValueError, match=r"4\.00 levels apart"):
        contest(ours, theirs, rounds=1)
    assert turns == []


def test_videos_of_other_length_or_size_are_not_the_same() -> None:
    assert level_difference([png(1)], [png(1), png(1)]) == float("inf")
    assert level_difference([png(1)], [png(1, 18)]) == float("inf")
    assert level_difference([], []) == float("inf")
    assert level_difference([png(7)], [png(7)]) == 0


def test_a_ratio_covers_the_truth_as_often_as_it_says() -> None:
    """Rounds share a slowness that moves far more than the ratio: pairs must be drawn together."""
    generator, covered = np.random.default_rng(3), 0
    for trial in range(60):
        slow = generator.lognormal(0, 0.5, 12)
        above, below = ([[s * f * generator.lognormal(0, 0.05)] for s in slow] for f in (1.4, 1.0))
        found = ratio(above, below, draws=1000, seed=trial)
        assert found.low is not None
        assert found.high is not None
        assert found.low <= found.value <= found.high
        covered += found.low <= 1.4 <= found.high
    assert covered >= 50  # 95 % of 60 is 57; a bootstrap of 12 pairs is a little too sure


def test_a_ratio_needs_pairs() -> None:
    assert ratio([[2.0], [4.0]], [[1.0], [2.0]]).low is None  # too few rounds for an interval
    for above, below in (([], []), ([[1.0]], [[1.0], [2.0]]), ([[]], [[1.0]]), ([[1.0], [1.0, 2.0]], [[1.0], [1.0]])):
        with pytest.raises(ValueError, match="as many rounds"):
            ratio(above, below)
