"""The trained bundle through the whole system: what `make demo` and the README promise."""

import io
from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from tests.support.ffprobe import probe_video
from tests.system.system import System

from framecast.client import Camera, Chunk, Codec, Done, Scene, SceneStarted, VideoClient, VideoOptions, save

STORY = "一只可爱的小猫在庭院里玩耍"


def test_the_articles_story_becomes_a_film(storybook_system: System, tmp_path: Path) -> None:
    path = tmp_path / "demo.mp4"
    with VideoClient(storybook_system.address) as client:
        save(client.generate(STORY, options=VideoOptions(seed=1), timeout=180), path)
    video = probe_video(path)
    assert (video["codec_name"], video["width"], video["height"]) == ("h264", 256, 256)
    assert video["avg_frame_rate"] == "24/1"
    assert int(video["nb_read_frames"]) >= 48
    with av.open(str(path)) as movie:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in movie.decode(video=0)]).astype(float)
    assert frames.std() > 20  # a picture, not a flat field
    assert 0 < np.abs(np.diff(frames, axis=0)).mean() < 20  # it moves, and does not flicker


def test_a_story_of_three_scenes_streams_before_it_is_done(storybook_system: System) -> None:
    story = "A red car drives along the street. Then it moves right on the beach. Then it spins in the meadow."
    shares = []
    with VideoClient(storybook_system.address) as client:
        # The share is a ratio within one run, but other tests may take the processor in the middle of it.
        while len(shares) < 3 and min(shares, default=1.0) >= 0.4:
            events = list(client.generate(story, options=VideoOptions(seed=1), timeout=300))
            done = events[-1]
            assert isinstance(done, Done)
            shares.append(done.stats.first_chunk_seconds / done.stats.total_seconds)
    scenes = [event.scene for event in events if isinstance(event, SceneStarted)]
    assert [place for scene in scenes for place in ("street", "beach", "meadow") if place in scene.prompt] == [
        "street",
        "beach",
        "meadow",
    ]
    assert min(shares) < 0.4, shares
    movie = b"".join(event.data for event in events if isinstance(event, Chunk))
    with av.open(io.BytesIO(movie)) as box:
        assert sum(1 for _ in box.decode(video=0)) == done.stats.frames == sum(round(s.seconds * 24) for s in scenes)


def test_a_camera_moves_over_the_same_film_and_the_way_it_is_called(storybook_system: System) -> None:
    """Of one seed every frame is a part of the one that a still camera took, from the first segment to the last."""

    def film(camera: Camera) -> list[NDArray[np.uint8]]:
        scene = Scene("a red car moves right on the street, day", 3.0, camera)
        options = VideoOptions(seed=3, codec=Codec.PNG)
        events = client.generate(scenes=[scene], options=options, timeout=180)
        return [picture(event.data) for event in events if isinstance(event, Chunk)]

    def picture(data: bytes) -> NDArray[np.uint8]:
        with av.open(io.BytesIO(data)) as file:
            return next(file.decode(video=0)).to_ndarray(format="rgb24")

    with VideoClient(storybook_system.address) as client:
        still, right, nearer = film(Camera.STATIC), film(Camera.PAN_RIGHT), film(Camera.ZOOM_IN)
    assert len(still) == len(right) == len(nearer) == 72
    for index, (whole, panned, zoomed) in enumerate(zip(still, right, nearer, strict=True)):
        way = index / 71
        sides = 0.7**way
        assert _apart(panned, whole, (0.2 * way, 0.1, 0.2 * way + 0.8, 0.9)) < 2
        assert _apart(zoomed, whole, (0.5 - sides / 2, 0.5 - sides / 2, 0.5 + sides / 2, 0.5 + sides / 2)) < 2
    assert _apart(right[0], still[0], (0.2, 0.1, 1.0, 0.9)) > 6, "a pan to the left begins there"


def _apart(seen: NDArray[np.uint8], whole: NDArray[np.uint8], view: tuple[float, float, float, float]) -> float:
    """Mean difference, in grey levels, between what is seen and the view's part of the whole, read bilinearly."""
    left, top, right, bottom = view
    # grid_sample counts from -1 to 1.
    affine = torch.tensor(
        [[[right - left, 0, left + right - 1], [0, bottom - top, top + bottom - 1]]], dtype=torch.float
    )
    picture = torch.from_numpy(whole).float().movedim(2, 0)[None]
    grid = F.affine_grid(affine, list(picture.shape), align_corners=False)
    part = F.grid_sample(picture, grid, padding_mode="border", align_corners=False)[0].movedim(0, 2)
    return float((torch.from_numpy(seen) - part).abs().mean())


def test_plan_streams_scenes_in_both_languages(storybook_system: System) -> None:
    with VideoClient(storybook_system.address) as client:
        for story in (STORY, "A kitten plays in the courtyard. Then it jumps on the beach."):
            scenes = list(client.plan(story, timeout=60))
            assert scenes
            assert "kitten" in scenes[0].prompt
