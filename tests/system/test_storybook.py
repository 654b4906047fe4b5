"""The trained bundle through the whole system: what `make demo` and the README promise."""

import io
from pathlib import Path

import av
import numpy as np
from tests.support.ffprobe import probe_video
from tests.system.system import System

from framecast.client import Chunk, Done, SceneStarted, VideoClient, VideoOptions, save

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


def test_plan_streams_scenes_in_both_languages(storybook_system: System) -> None:
    with VideoClient(storybook_system.address) as client:
        for story in (STORY, "A kitten plays in the courtyard. Then it jumps on the beach."):
            scenes = list(client.plan(story, timeout=60))
            assert scenes
            assert "kitten" in scenes[0].prompt
