"""A safety checker's graph and what it sees, beside diffusers and transformers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.support import safety
from tests.support.tiny_bundle import write_tiny_bundle
from transformers import CLIPImageProcessor, ViTImageProcessor

from framecast.engines.engine import Array, Engine
from framecast.engines.load import load_engine
from framecast.errors import CorruptOutput, InvalidRepository
from framecast.export.bundle import Bundle
from framecast.export.safety import SafetyChecker, load_safety_checker
from framecast.media.colour import rgb_to_yuv420, yuv420_to_rgb
from framecast.review.pictures import CheckerSettings, Looked, PictureReviewer

CLIP = CheckerSettings(
    height=224,
    width=224,
    shorter=224,
    resample=3,
    scale=1 / 255,
    mean=(0.48145466, 0.4578275, 0.40821073),
    deviation=(0.26862954, 0.26130258, 0.27577711),
    level=0.0005,
)
HALF = (0.5, 0.5, 0.5)
VIT = replace(CLIP, shorter=0, resample=2, mean=HALF, deviation=HALF)


def patches(seed: int, count: int, height: int = 96, width: int = 96) -> Array:
    """Pictures of squares in random colours, uint8 [count, height, width, 3]."""
    squares = np.random.default_rng(seed).integers(0, 256, (count, height // 16, width // 16, 3), np.uint8)
    return squares.repeat(16, axis=1).repeat(16, axis=2)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("checked"))


def loaded(bundle: Path, tmp_path: Path) -> tuple[SafetyChecker, Engine]:
    """The bundle's checker, and its exported graph."""
    checker = load_safety_checker(Bundle.open(bundle))
    assert checker is not None
    checker.export(tmp_path / "checker.onnx", opset=23)
    return checker, load_engine("onnxruntime", tmp_path / "checker.onnx")


@pytest.mark.parametrize(("settings", "processor"), [(CLIP, CLIPImageProcessor), (VIT, ViTImageProcessor)])
@pytest.mark.parametrize("size", [(256, 256), (144, 256), (512, 320), (250, 334), (64, 64)])
def test_a_picture_is_prepared_as_transformers_does(
    settings: CheckerSettings, processor: Any, size: tuple[int, int]
) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    [theirs] = processor()(picture, return_tensors="np").pixel_values
    ours = settings.seen(picture)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_verdict_is_that_of_diffusers(bundle: Path, tmp_path: Path) -> None:
    """Thresholds lie in the middle of what the pictures have, so that some are unsafe, some for special care alone."""
    concepts = safety.write_concept_checker(bundle)
    pictures = yuv420_to_rgb(rgb_to_yuv420(patches(2, 40)))
    pixels = torch.as_tensor(safety.image_processor()(list(pictures), return_tensors="np").pixel_values)
    states = torch.nn.functional.normalize(concepts.visual_projection(concepts.vision_model(pixels)[1]))
    for name, share in (("concept_embeds", 0.97), ("special_care_embeds", 0.8)):
        known = torch.nn.functional.normalize(getattr(concepts, name))
        getattr(concepts, f"{name}_weights").data[:] = (states @ known.T).quantile(share, dim=0)
    concepts.save_pretrained(bundle / "safety_checker")
    _, theirs = concepts(pixels, [np.zeros((1, 1, 3))] * 40)
    assert 0 < sum(theirs) < 40

    checker, engine = loaded(bundle, tmp_path)
    scores = engine.run({"pictures": np.stack([checker.settings.seen(picture) for picture in pictures])})["score"]
    assert [bool(score >= checker.settings.level) for score in scores] == theirs
    without = [bool(score - 0.01 >= checker.settings.level) for score in scores]
    assert without != theirs, "a picture that needs special care is judged more strictly"

    reviewer = PictureReviewer(engine, replace(checker.settings, every=1))
    assert reviewer.look(rgb_to_yuv420(patches(2, 40))) == Looked(40, sum(theirs))


def test_a_classifier_s_unsafe_labels_count_together(bundle: Path, tmp_path: Path) -> None:
    classifier = safety.write_classifier(bundle)
    conventions = json.loads((bundle / "framecast.json").read_text(encoding="utf-8"))
    (bundle / "framecast.json").write_text(
        json.dumps({**conventions, "unsafe_labels": ["explicit", "suggestive"], "safety_strictness": 0.1}),
        encoding="utf-8",
    )
    checker, engine = loaded(bundle, tmp_path)
    seen = np.stack([checker.settings.seen(picture) for picture in patches(3, 5)])
    with torch.no_grad():
        shares = classifier(pixel_values=torch.from_numpy(seen)).logits.softmax(-1)
    np.testing.assert_allclose(engine.run({"pictures": seen})["score"], 1 - shares[:, 0], atol=1e-6)
    assert checker.settings.level == pytest.approx(0.4)


class _Scores:
    """An engine that keeps what it is shown."""

    def __init__(self, score: float) -> None:
        self.score = score
        self.shown: list[Array] = []

    def run(self, inputs: Any, outputs: Any = ()) -> dict[str, Array]:
        self.shown += list(inputs["pictures"])
        return {"score": np.full(len(inputs["pictures"]), self.score, np.float32)}


@pytest.mark.parametrize(("frames", "every", "at"), [(48, 12, range(0, 48, 12)), (4, 4, [0]), (5, 1, range(5))])
def test_two_frames_of_a_second_are_looked_at(frames: int, every: int, at: Any) -> None:
    planes, engine = rgb_to_yuv420(patches(4, frames)), _Scores(0.0)
    settings = replace(VIT, height=32, width=32, every=every)
    assert PictureReviewer(engine, settings).look(planes) == Looked(len(at), 0)  # type: ignore[arg-type]
    expected = [settings.seen(picture) for picture in yuv420_to_rgb(planes)[list(at)]]
    np.testing.assert_array_equal(engine.shown, expected)


def test_a_picture_that_is_held_is_judged_once_and_counts_as_often_as_it_is_seen() -> None:
    held, other = patches(6, 2)
    engine = _Scores(1.0)
    reviewer = PictureReviewer(engine, replace(VIT, height=32, width=32))  # type: ignore[arg-type]
    assert reviewer.look(rgb_to_yuv420(np.stack([held] * 4))) == Looked(4, 4)
    assert len(engine.shown) == 1
    engine.score = 0.0
    assert reviewer.look(rgb_to_yuv420(np.stack([held, other, held, other]))) == Looked(4, 2)
    assert len(engine.shown) == 2, "the first was known from the chunk before"


def test_what_cannot_be_judged_does_not_pass() -> None:
    with pytest.raises(CorruptOutput, match="safety checker"):
        PictureReviewer(_Scores(np.nan), VIT).look(rgb_to_yuv420(patches(5, 1)))  # type: ignore[arg-type]


def test_settings_survive_and_what_is_none_is_refused(tmp_path: Path) -> None:
    CLIP.save(tmp_path / "checker.json")
    assert CheckerSettings.load(tmp_path / "checker.json") == CLIP
    (tmp_path / "checker.json").write_text('{"height": 224}', encoding="utf-8")
    with pytest.raises(InvalidRepository, match="not a safety checker's settings"):
        CheckerSettings.load(tmp_path / "checker.json")
