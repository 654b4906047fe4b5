"""Where a camera looks."""

import numpy as np
import pytest

from framecast.director.camera import BY_PROMPT, BY_VIEW, CameraPath, prompt_for
from framecast.planner.storyboard import CAMERAS, Scene


def path(camera: str, frames: int = 49, fps: int = 24) -> np.ndarray:
    return CameraPath(camera, frames, fps).views(0, frames).astype(np.float64)


def sides(views: np.ndarray) -> np.ndarray:
    return views[:, 2:] - views[:, :2]


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize(("frames", "fps"), [(1, 24), (2, 24), (12, 24), (48, 24), (720, 24), (16, 8)])
def test_every_view_lies_in_the_picture_and_keeps_its_shape(camera: str, frames: int, fps: int) -> None:
    views = path(camera, frames, fps)
    assert views.shape == (frames, 4)
    assert views.min() >= 0
    assert views.max() <= 1
    width, height = sides(views).T
    assert np.allclose(width, height, atol=1e-6)
    assert width.min() >= 0.7 - 1e-6


def test_a_camera_that_stands_still_sees_everything() -> None:
    assert np.array_equal(path("static"), np.tile([0.0, 0.0, 1.0, 1.0], (49, 1)))


def test_a_pan_goes_the_way_it_is_called_at_an_even_speed_from_edge_to_edge() -> None:
    right, left = path("pan right"), path("pan left")
    assert np.allclose(right[0], [0, 0.1, 0.8, 0.9])
    assert np.allclose(right[-1], [0.2, 0.1, 1, 0.9])
    assert np.allclose(np.diff(right[:, 0]), 0.2 / 48)
    assert np.allclose(left, right[::-1], atol=1e-6)


def test_a_zoom_grows_by_the_same_factor_from_frame_to_frame() -> None:
    nearer, away = sides(path("zoom in"))[:, 0], sides(path("zoom out"))[:, 0]
    assert np.allclose((nearer[0], nearer[-1]), (1, 0.7))
    assert np.allclose(nearer[1:] / nearer[:-1], 0.7 ** (1 / 48), atol=1e-6)
    assert np.allclose(away, nearer[::-1], atol=1e-6)


def test_a_short_scene_sees_a_part_of_the_way_no_faster_than_a_long_one() -> None:
    half = path("pan right", 24)
    assert np.allclose((half[0, 0], half[-1, 0]), (0.05, 0.15))
    long = path("pan right", 480)
    assert np.allclose((long[0, 0], long[-1, 0]), (0, 0.2))
    assert sides(path("zoom in", 24))[-1, 0] == pytest.approx(0.7**0.5, abs=1e-6)


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_parts_of_a_scene_join(camera: str) -> None:
    whole = CameraPath(camera, 100, 24)
    parts = [whole.views(first, min(16, 100 - first)) for first in range(0, 100, 16)]
    assert np.array_equal(np.concatenate(parts), whole.views(0, 100))


def test_only_weights_that_know_its_words_read_of_a_camera_that_moves() -> None:
    zoom, still = Scene("a cat", camera="zoom in"), Scene("a cat")
    assert prompt_for(zoom, BY_PROMPT) == "a cat, zoom in"
    assert {prompt_for(zoom, BY_VIEW), prompt_for(still, BY_VIEW), prompt_for(still, BY_PROMPT)} == {"a cat"}
