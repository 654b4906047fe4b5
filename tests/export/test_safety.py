"""A bundle's safety checker: exported beside the encoder, or refused in one sentence."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import GRAPH_CACHE
from tests.support import safety
from transformers import CLIPImageProcessor

from framecast.engines.manifest import Manifest
from framecast.errors import InvalidRepository
from framecast.export.bundle import Bundle, Conventions
from framecast.export.cli import packaged_models
from framecast.export.exporter import export_bundle, is_current
from framecast.export.options import ExportOptions
from framecast.export.safety import load_safety_checker
from framecast.review.pictures import CheckerSettings


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


def change(path: Path, **fields: Any) -> None:
    known = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**known, **fields}), encoding="utf-8")


def test_it_is_served_beside_the_encoder_unless_it_is_left_out(bundle: Path, tmp_path: Path) -> None:
    safety.write_concept_checker(bundle)
    output, options = tmp_path / "served", ExportOptions(packaged_models(), cache=GRAPH_CACHE)
    manifest = export_bundle(Bundle.open(bundle), output, options)
    assert manifest.graphs["safety_checker"].parity["max_abs_error"] < 1e-4
    settings = CheckerSettings.load(output / "frame_encoder" / "1" / "safety_checker.json")
    assert (settings.height, settings.shorter, settings.level) == (safety.SIDE, safety.SIDE, 0.0005)
    assert '\\"safety_checker\\":true' in (output / "denoiser" / "config.pbtxt").read_text(encoding="utf-8")

    without = ExportOptions(packaged_models(), cache=GRAPH_CACHE, safety_checker=False)
    assert not is_current(Bundle.open(bundle), output, without)
    assert "safety_checker" not in export_bundle(Bundle.open(bundle), output, without).graphs
    assert not list(output.rglob("safety_checker*"))
    assert '\\"safety_checker\\":false' in (output / "denoiser" / "config.pbtxt").read_text(encoding="utf-8")


def test_a_bundle_without_one_has_none(bundle: Path, tiny_repository: Path) -> None:
    assert load_safety_checker(Bundle.open(bundle)) is None
    assert "safety_checker" not in Manifest.load(tiny_repository).graphs


def of_another_class(bundle: Path) -> None:
    change(bundle / "safety_checker" / "config.json", architectures=["CLIPVisionModel"])


def without_preparation(bundle: Path) -> None:
    shutil.rmtree(bundle / "feature_extractor")


def pickled(bundle: Path) -> None:
    weights = bundle / "safety_checker" / "model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))


def of_another_size(bundle: Path) -> None:
    CLIPImageProcessor().save_pretrained(bundle / "feature_extractor")


def without_a_size(bundle: Path) -> None:
    change(bundle / "feature_extractor" / "preprocessor_config.json", do_resize=False)


def with_a_lopsided_crop(bundle: Path) -> None:
    change(bundle / "feature_extractor" / "preprocessor_config.json", size={"height": 40, "width": 32})


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (of_another_class, "holds a CLIPVisionModel; served are .* --no-safety-checker exports without it"),
        (without_preparation, "has no preprocessor_config.json, nor has feature_extractor/"),
        (pickled, "pickled weights are never loaded"),
        (of_another_size, "sees pictures of 32 × 32, but its preprocessor_config.json makes them 224 × 224"),
        (without_a_size, "names no size"),
        (with_a_lopsided_crop, "prepares pictures in a way that is not served"),
    ],
)
def test_a_checker_that_cannot_be_served_is_one_sentence(bundle: Path, spoil: Any, sentence: str) -> None:
    safety.write_concept_checker(bundle)
    spoil(bundle)
    with pytest.raises(InvalidRepository, match=sentence):
        load_safety_checker(Bundle.open(bundle))


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([], "knows the labels neutral, suggestive, explicit; unsafe_labels in framecast.json names none of them"),
        (["nsfw"], "names 'nsfw', which it has not"),
        (["neutral", "explicit", "suggestive"], "names every label"),
    ],
)
def test_a_classifier_needs_the_labels_that_are_not_shown(bundle: Path, labels: list[str], sentence: str) -> None:
    safety.write_classifier(bundle)
    change(bundle / "framecast.json", unsafe_labels=labels)
    with pytest.raises(InvalidRepository, match=sentence):
        load_safety_checker(Bundle.open(bundle))


@pytest.mark.parametrize("labels", ["nsfw", [1], {"nsfw": 1}])
def test_labels_are_a_list_of_words(tmp_path: Path, labels: object) -> None:
    (tmp_path / "framecast.json").write_text(json.dumps({"unsafe_labels": labels}), encoding="utf-8")
    with pytest.raises(InvalidRepository, match=r"unsafe_labels is .* which is no list of labels"):
        Conventions.load(tmp_path / "framecast.json")
