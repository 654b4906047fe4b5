"""A bundle's safety checker: what it is, and how it sees a picture.

`safety_checker/` holds the checker that Stable Diffusion comes with, or any image classifier of transformers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from framecast.errors import InvalidRepository
from framecast.export.bundle import Bundle
from framecast.export.checks import architecture, check_weights, read_json
from framecast.export.exported import Exported
from framecast.export.graphs.safety_checker import (
    CONCEPT_LEVEL,
    LABEL_LEVEL,
    ConceptScore,
    LabelScore,
    export_safety_checker,
)
from framecast.export.models import whole_model
from framecast.review.pictures import LOOKS_PER_SECOND, CheckerSettings

CHECKER, EXTRACTOR = "safety_checker", "feature_extractor"
_PREPROCESSOR = "preprocessor_config.json"
_CONCEPTS, _CLASSIFIER = "StableDiffusionSafetyChecker", "ForImageClassification"
_CLOSE = 0.05  # of prepared values, which spread over some four: another library may round a resized byte otherwise


@dataclass(frozen=True)
class SafetyChecker:
    """A checker, ready to be exported.

    Attributes:
        score: of pictures, see `framecast.export.graphs.safety_checker`.
        settings: what serving reads beside its graph.
        unsafe: indices of the unsafe labels, of a classifier.
    """

    score: nn.Module
    settings: CheckerSettings
    unsafe: tuple[int, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of what it sees."""
        return self.settings.height, self.settings.width

    @property
    def export(self) -> Callable[..., Exported]:
        """Exports the graph to a path."""
        return partial(export_safety_checker, self.score, self.size)


def load_safety_checker(bundle: Bundle) -> SafetyChecker | None:
    """The bundle's checker, in float32; None where it has none.

    Raises:
        InvalidRepository: it is of another class, incomplete, or sees pictures in a way that is not served.
    """
    folder = bundle.part(CHECKER)
    if not folder.is_dir():
        named = read_json(bundle.path / "model_index.json").get(CHECKER)
        if folder.is_symlink() or folder.exists() or (isinstance(named, list) and any(named)):
            raise InvalidRepository(
                f"The bundle names a {CHECKER}, but {folder} is no folder: bring it, or export without it, with "
                "--no-safety-checker."
            )
        return None
    try:
        check_weights(folder)
    except InvalidRepository as error:
        raise InvalidRepository(f"{error} Or export without it, with --no-safety-checker.") from error
    kind, conventions = architecture(read_json(folder / "config.json")), bundle.conventions
    if kind != _CONCEPTS and not kind.endswith(_CLASSIFIER):
        raise InvalidRepository(
            f"{folder} holds a {kind}; served are {_CONCEPTS} and what ends in {_CLASSIFIER}. --no-safety-checker "
            "exports without it."
        )
    unsafe: tuple[int, ...] = ()
    score: nn.Module
    try:
        if kind == _CONCEPTS:
            from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker

            checker = whole_model(StableDiffusionSafetyChecker, folder)
            score, level, sees = ConceptScore(checker), CONCEPT_LEVEL, checker.config.vision_config.image_size
        else:
            from transformers import AutoModelForImageClassification

            checker = whole_model(AutoModelForImageClassification, folder)
            if checker.config.problem_type not in (None, "single_label_classification"):
                raise InvalidRepository(
                    f"{folder} is made for {checker.config.problem_type}; served are classifiers that choose one label."
                )
            unsafe = _indices(folder, checker, conventions.unsafe_labels)
            score, level, sees = LabelScore(checker, unsafe), LABEL_LEVEL, None
        settings = _settings(bundle, level - conventions.safety_strictness)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, ImportError) as error:
        raise InvalidRepository(f"{folder} cannot be loaded: {' '.join(str(error).split())[:400]}") from error
    if sees not in (None, settings.height) or sees not in (None, settings.width):
        raise InvalidRepository(
            f"{folder} sees pictures of {sees} × {sees}, but its {_PREPROCESSOR} makes them "
            f"{settings.height} × {settings.width}."
        )
    return SafetyChecker(score.eval().requires_grad_(False), settings, unsafe)


def _indices(folder: Path, classifier: Any, labels: list[str]) -> tuple[int, ...]:
    """Which of a classifier's outputs are unsafe. Raises InvalidRepository."""
    known = {str(label): int(index) for index, label in classifier.config.id2label.items()}
    if not labels or (unknown := sorted(set(labels) - set(known))):
        wrong = f"{unknown[0]!r}, which it has not" if labels else "none of them"
        raise InvalidRepository(
            f"{folder} knows the labels {', '.join(known)}; unsafe_labels in framecast.json names {wrong}."
        )
    if len(set(labels)) == len(known):
        raise InvalidRepository(f"unsafe_labels names every label of {folder}; leave out those that may be shown.")
    return tuple(sorted(known[label] for label in set(labels)))


def _settings(bundle: Bundle, level: float) -> CheckerSettings:
    """How pictures are prepared, as transformers reads it, and proven to be so on two of them."""
    from transformers import AutoImageProcessor

    folders = [bundle.part(part) for part in (CHECKER, EXTRACTOR)]
    folder = next((folder for folder in folders if (folder / _PREPROCESSOR).is_file()), None)
    if folder is None:
        raise InvalidRepository(f"{folders[0]} has no {_PREPROCESSOR}, nor has {EXTRACTOR}/ beside it; add it.")
    processor: Any = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    size, crop = processor.size, getattr(processor, "crop_size", None) or processor.size
    cropped = bool(getattr(processor, "do_center_crop", False))
    shown = crop if cropped else size
    normal = bool(processor.do_normalize)
    settings = CheckerSettings(
        height=int(shown["height"] or 0),
        width=int(shown["width"] or 0),
        shorter=int(size["shortest_edge"] or 0),
        resample=int(processor.resample),
        scale=float(processor.rescale_factor) if processor.do_rescale else 1.0,
        mean=tuple(processor.image_mean) if normal else (0.0, 0.0, 0.0),
        deviation=tuple(processor.image_std) if normal else (1.0, 1.0, 1.0),
        level=level,
        every=max(1, bundle.conventions.fps // LOOKS_PER_SECOND),
    )
    if not processor.do_resize or min(settings.height, settings.width) < 1:
        raise InvalidRepository(f"{folder / _PREPROCESSOR} names no size; every picture must be seen in the same one.")
    for height, width in ((180, 320), (512, 384)):
        picture = np.random.default_rng(1).integers(0, 256, (height // 20, width // 20, 3), np.uint8)
        picture = picture.repeat(20, axis=0).repeat(20, axis=1)
        theirs = np.asarray(torch.as_tensor(processor(picture, return_tensors="pt").pixel_values[0]))
        ours = settings.seen(picture)
        if ours.shape != theirs.shape or np.abs(ours - theirs).mean() > _CLOSE:
            raise InvalidRepository(
                f"{folder / _PREPROCESSOR} prepares pictures in a way that is not served; resizing, a crop of the "
                "middle, rescaling and normalising are."
            )
    return settings
