"""Cutting scenes: every frame exactly once, whatever the lengths."""

from dataclasses import replace
from itertools import pairwise

import pytest

from framecast.director.model import ServedModel
from framecast.director.timeline import chunks, scene_frames, scene_seed, segment_seed, segments
from framecast.planner.storyboard import Scene

MODEL = ServedModel("x", "0", 4, 12, 3, 4, 32, 256, 256, 24, 10, 2.5, (10,), 6)


@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("frames", [1, 4, 47, 48, 49, 84, 85, 192, 193])
def test_segments_and_chunks_give_every_frame_once(frames: int, context: int) -> None:
    model = replace(MODEL, context_latents=context)
    plans = list(segments(frames, model))
    assert sum(plan.frames for plan in plans) == frames
    assert [plan.context for plan in plans] == [context * (i > 0) for i in range(len(plans))]
    for plan in plans:
        pieces = list(chunks(plan, model))
        assert sum(piece.frames for piece in pieces) == plan.frames
        assert pieces[0].start == plan.context
        assert all(a.stop == b.start for a, b in pairwise(pieces))
        assert pieces[-1].stop <= model.segment_latents
        assert all((p.stop - p.start) * 4 - p.frames < 4 for p in pieces)  # no latent is decoded in vain


def test_scene_lengths() -> None:
    assert scene_frames(Scene("x"), 24, MODEL) == 48
    assert scene_frames(Scene("x", 1.5), 24, MODEL) == 36
    assert scene_frames(Scene("x", 0.001), 24, MODEL) == 1


def test_derived_seeds_are_fixed_distinct_and_in_range() -> None:
    derived = [function(seed, i) for function in (scene_seed, segment_seed) for seed in range(50) for i in range(1, 50)]
    assert len({*range(50), *derived}) == 50 + 2 * 50 * 49
    assert all(0 <= seed < 2**63 for seed in derived)
    assert scene_seed(7, 0) == segment_seed(7, 0) == 7, "one scene is what the ensemble makes with that seed"
    assert scene_seed(1, 2) == 8705518154548660899  # a change would change every video
