"""The renderer: deterministic, anti-aliased, true to the vocabulary; the held-out split."""

import random

import numpy as np
import pytest
from typer.testing import CliRunner

from framecast.train.cli import app
from framecast.train.world.circumstances import CAMERAS, LIGHTS
from framecast.train.world.render import SUBJECTS_DRAWN, Film, render
from framecast.train.world.scene import Scene, all_combinations, choose_held_out, held_out, sample_scene
from framecast.train.world.vocabulary import ACTIONS, COLOURS, PLACES, SUBJECTS

KITTEN = Scene("kitten", "white", "courtyard", "play")


def test_same_scene_and_seed_give_the_same_frames() -> None:
    first, again = render(KITTEN, 3, 4), render(KITTEN, 3, 4)
    assert first.shape == (4, 256, 256, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert (render(KITTEN, 4, 4) != first).any()


def test_a_scene_drawn_in_pieces_is_the_scene_drawn_whole() -> None:
    whole = render(KITTEN, 3, 8)
    np.testing.assert_array_equal(render(KITTEN, 3, 4, start=4 / 24), whole[4:])


def test_edges_are_anti_aliased() -> None:
    """A red ball over plain sky: between the two flat colours there are mixed pixels along the rim."""
    frame = render(Scene("ball", "red", "snow", "jump"), 1, 1, start=0.4)[0].astype(int)
    colours = {tuple(pixel) for pixel in frame.reshape(-1, 3)}
    assert len(colours) > 1000
    steps = np.abs(np.diff(frame, axis=1)).max(axis=-1)
    assert ((steps > 8) & (steps < 90)).sum() > ((steps >= 90).sum())


@pytest.mark.parametrize("subject", list(SUBJECTS))
def test_every_subject_shows_its_colour(subject: str) -> None:
    red = render(Scene(subject, "red", "snow", "play"), 1, 1)[0].astype(int)
    blue = render(Scene(subject, "blue", "snow", "play"), 1, 1)[0].astype(int)
    changed = (np.abs(red - blue).max(axis=-1) > 40).mean()
    assert 0.02 < changed < 0.4


@pytest.mark.parametrize("place", list(PLACES))
@pytest.mark.parametrize("light", list(LIGHTS))
def test_every_place_fills_the_view(place: str, light: str) -> None:
    for camera in CAMERAS:
        frames = render(Scene("ball", "red", place, "play", light, camera=camera), 1, 2, start=6, film=Film(size=64))
        assert not (frames == 0).all(axis=-1).any(), "unpainted pixels are black"


@pytest.mark.parametrize(("action", "axis", "sign"), [("left", 1, -1), ("right", 1, 1), ("fly", 0, -1), ("fall", 0, 1)])
def test_subjects_move_where_the_action_says(action: str, axis: int, sign: int) -> None:
    scene = Scene("ball", "red", "snow", action)
    centres = []
    for frame in (render(scene, 2, 1)[0], render(scene, 2, 1, start=1.2)[0]):
        red = (frame[..., 0].astype(int) - frame[..., 1] > 90) & (frame[..., 2] < 120)
        centres.append(np.argwhere(red).mean(axis=0)[axis])
    assert (centres[1] - centres[0]) * sign > 20


def test_growing_subjects_grow() -> None:
    first, later = (render(Scene("ball", "red", "snow", "grow"), 2, 1, start=t)[0].astype(int) for t in (0.0, 1.5))
    red = [((f[..., 0] - f[..., 1] > 90) & (f[..., 2] < 120)).sum() for f in (first, later)]
    assert red[1] > 2 * red[0]


@pytest.mark.parametrize("weather", ["rain", "snow"])
def test_weather_falls_outdoors_and_behind_the_window(weather: str) -> None:
    for place in ("meadow", "room"):
        dry, wet = (render(Scene("ball", "red", place, "play", weather=w), 1, 2) for w in ("clear", weather))
        moving = np.abs(wet[1].astype(int) - wet[0]).max(axis=-1) > 24
        assert (dry != wet).any()
        assert moving[:80].any(), "what falls moves"
    floor = np.abs(render(Scene("ball", "red", "room", "play", weather=weather), 1, 1, empty=True)[0, 200:].astype(int))
    assert (np.diff(floor, axis=1) ** 2).sum(axis=-1).max() < 60**2, "it does not rain on the carpet"


def test_a_friend_is_drawn_beside_the_subject() -> None:
    alone, pair = (
        Scene("ball", "red", "snow", "jump"),
        Scene("ball", "red", "snow", "jump", friend="car", friend_colour="blue"),
    )
    blue = [
        ((f[..., 2].astype(int) - f[..., 0] > 120) & (f[..., 1] < 150))[100:].sum()
        for f in (render(alone, 1, 1)[0], render(pair, 1, 1)[0])
    ]
    assert blue[1] > max(500, 8 * blue[0])


def test_an_empty_scene_has_no_subject() -> None:
    full, empty = render(KITTEN, 3, 1), render(KITTEN, 3, 1, empty=True)
    changed = (full != empty).any(axis=-1)
    assert 0.05 < changed.mean() < 0.4
    assert not changed[0, :60].any()


def test_bad_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        render(KITTEN, 0, 0)
    with pytest.raises(KeyError):
        render(Scene("unicorn", "white", "courtyard", "play"), 0, 1)


def test_drawers_cover_the_vocabulary() -> None:
    assert set(SUBJECTS_DRAWN) == set(SUBJECTS)


def test_held_out_file_is_the_split_and_training_never_sees_it() -> None:
    unseen = held_out()
    assert unseen == set(choose_held_out())
    assert len(unseen) >= 0.1 * len(all_combinations())
    for words, axis in ((SUBJECTS, 0), (COLOURS, 1), (PLACES, 2), (ACTIONS, 3)):
        seen = {c[axis] for c in all_combinations() if c not in unseen}
        assert seen == set(words)
    rng = random.Random(0)
    assert not any(sample_scene(rng, excluded=unseen).combination in unseen for _ in range(300))
    assert all(sample_scene(rng, seen=False, excluded=unseen).combination in unseen for _ in range(50))


def test_words_that_are_practised_are_drawn_three_times_as_often() -> None:
    rng = random.Random(8)
    drawn = [sample_scene(rng, practised=frozenset(("kitten", "play"))) for _ in range(3000)]
    share = sum("kitten" in scene.combination or "play" in scene.combination for scene in drawn) / len(drawn)
    once = 1 - (1 - 1 / len(SUBJECTS)) * (1 - 1 / len(ACTIONS))
    assert share == pytest.approx(3 * once / (3 * once + 1 - once), abs=0.03)
    assert len({scene.subject for scene in drawn}) == len(SUBJECTS)


@pytest.mark.parametrize("command", ["unet", "tune"])
@pytest.mark.parametrize(("device", "why"), [("gpu", "it is cpu or cuda"), ("cuda", "torch sees no GPU")])
def test_a_device_that_is_not_there_is_said_at_once(
    command: str, device: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    result = CliRunner().invoke(app, [command, "--device", device], terminal_width=200)
    assert result.exit_code == 2
    assert f"{device} cannot be used: {why}." in result.stderr


def test_a_word_that_the_world_does_not_have_is_named() -> None:
    result = CliRunner().invoke(app, ["cache", "--practise", "unicorn"])
    assert result.exit_code == 2
    assert "no word of the world: unicorn" in result.stderr.replace("\n", " ")
