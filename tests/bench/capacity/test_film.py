"""How videos are cut, and which of them a server would refuse."""

from dataclasses import replace

import pytest
from tests.bench.conftest import MODEL

from framecast.bench.capacity.film import cut
from framecast.bench.capacity.refusals import refusals
from framecast.bench.capacity.service import ServiceModel, StepCurve
from framecast.bench.capacity.videos import alone
from framecast.bench.kind import Kind


def test_a_slide_show_denoises_a_scene_once_however_long_it_is() -> None:
    still = replace(MODEL, still=True)
    clip, picture = cut([60.0, 1.0], MODEL), cut([60.0, 1.0], still)
    assert clip.segments > 10
    assert picture.segments == 2
    assert picture.chunk_frames == clip.chunk_frames
    costs = ServiceModel(StepCurve(((1.0, 0.5),)), decode_frame=1e-3)
    assert alone(cut([1.0], still), costs)[1] > MODEL.steps * 0.5
    assert alone(cut([60.0], still), costs)[1] == pytest.approx(MODEL.steps * 0.5 + 60 * MODEL.fps * 1e-3)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Kind((2.0,)), ""),
        (Kind(()), ""),
        (Kind((2.0,), num_inference_steps=999), "999 steps, for which the export has no table"),
        (Kind((2.0,), width=MODEL.size_multiple + 1), "which is not a multiple of"),
        (Kind((2.0,), height=100 * MODEL.max_side), "height 102400"),
        (Kind((31.0,)), "a scene of 31 s, where 30 are the most"),
        (Kind((30.0,) * 11), "330 s in all, where 300 are the most"),
        (Kind((1.0,) * 65), "65 scenes, where 64 are the most"),
        (Kind((1.0,) * 5, planned=True), "5 scenes, where 4 are the most"),
        (Kind((2.0,), fps=61), "61 frames a second, where 60 are the most"),
    ],
)
def test_what_a_server_would_refuse_is_said(kind: Kind, why: str) -> None:
    found = refusals(kind, MODEL)
    assert len(found) == bool(why)
    assert why in "".join(found)
