"""Pictures seen through a view, against cubic convolution written out and against what is known exactly."""

import numpy as np
import pytest

from framecast.media.errors import InvalidViews
from framecast.media.planes import Planes
from framecast.media.view import seen_through

WHOLE = [0.0, 0.0, 1.0, 1.0]


def pictures(frames: int = 3, height: int = 48, width: int = 64) -> Planes:
    rng = np.random.default_rng(7)

    def plane(h: int, w: int) -> np.ndarray:  # no overshoot of these is cut between two directions
        return rng.integers(64, 192, (frames, h, w), np.uint8, endpoint=True)

    half = (height // 2, width // 2)
    return Planes(plane(height, width), plane(*half), plane(*half))


def views(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32)


def keys(distance: np.ndarray) -> np.ndarray:
    """The kernel of Keys 1981, equation 15."""
    d = np.abs(distance)
    near, far = 1.5 * d**3 - 2.5 * d**2 + 1, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return np.where(d < 1, near, np.where(d < 2, far, 0.0))


def along(low: float, high: float, size: int) -> np.ndarray:
    """What each of `size` new samples takes of each of `size` old ones between `low` and `high`: float64 [new, old]."""
    centres = low * size + (np.arange(size) + 0.5) * (high - low) - 0.5
    weights = keys(centres[:, None] - np.arange(size)[None])
    return weights / weights.sum(axis=1, keepdims=True)


def reference(plane: np.ndarray, view: list[float], low: int, high: int) -> np.ndarray:
    height, width = plane.shape
    left, top, right, bottom = np.float32(view).tolist()
    exact = along(top, bottom, height) @ plane.astype(np.float64) @ along(left, right, width).T
    return np.clip(exact, low, high)


def test_it_is_cubic_convolution_of_every_plane() -> None:
    planes, rows = pictures(), [[0.1, 0.2, 0.83, 0.95], [0.0, 0.1, 0.8, 0.9], [0.15, 0.15, 0.85, 0.85]]
    seen = seen_through(planes, views(*rows))
    for new, old, high in ((seen.y, planes.y, 235), (seen.u, planes.u, 240), (seen.v, planes.v, 240)):
        for frame, row in enumerate(rows):
            difference = np.abs(new[frame] - reference(old[frame], row, 16, high))
            assert difference.max() < 1.5, "rounded after each of the two directions"
            assert difference.mean() < 0.5


def test_the_whole_picture_is_left_as_it_is() -> None:
    planes = pictures()
    assert seen_through(planes, views(WHOLE, WHOLE, WHOLE)) is planes
    mixed = seen_through(planes, views(WHOLE, [0, 0, 0.5, 0.5], WHOLE))
    assert np.array_equal(mixed.y[[0, 2]], planes.y[[0, 2]])
    assert not np.array_equal(mixed.y[1], planes.y[1])


def test_what_was_seen_moves_with_the_view() -> None:
    """A ramp stays a ramp: its new level at a column is the old one at the place that the view shows there."""
    ramp = np.tile(np.arange(32, 32 + 128, dtype=np.uint8), (1, 32, 1))
    planes = Planes(ramp, ramp[:, ::2, ::2].copy(), ramp[:, ::2, ::2].copy())
    seen = seen_through(planes, views([0.25, 0.0, 0.75, 1.0])).y[0].astype(float)
    expected = 32 + (0.25 * 128 + (np.arange(128) + 0.5) / 2 - 0.5)
    assert np.abs(seen - expected)[:, 4:-4].max() <= 1


def test_levels_stay_in_limited_range() -> None:
    stripes = np.where(np.arange(64) // 4 % 2, 235, 16).astype(np.uint8)
    chroma = np.tile(np.where(np.arange(32) // 4 % 2, 240, 16).astype(np.uint8), (1, 32, 1))
    planes = Planes(np.tile(stripes, (1, 64, 1)), chroma, chroma.copy())
    seen = seen_through(planes, views([0.1, 0.1, 0.8, 0.8]))
    assert (seen.y.min(), seen.y.max()) == (16, 235)
    assert (seen.u.min(), seen.u.max()) == (16, 240)


@pytest.mark.parametrize(
    "bad",
    [
        views(WHOLE),
        views(WHOLE, WHOLE, [0, 0, 1, 1.01]),
        views(WHOLE, WHOLE, [-0.01, 0, 1, 1]),
        views(WHOLE, WHOLE, [0, 0, 0.1, 1]),
        views(WHOLE, WHOLE, [0.9, 0, 0.2, 1]),
        views(WHOLE, WHOLE, [0, float("nan"), 1, 1]),
        np.zeros((3, 2), np.float32),
    ],
)
def test_views_that_are_none_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(InvalidViews, match=r"^(The views must be|A view must lie)"):
        seen_through(pictures(), bad)
