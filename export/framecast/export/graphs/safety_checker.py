"""The safety checker's graph: pictures in, a score of each out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from framecast.engines.engine import Engine
from framecast.export.exported import Exported, checked
from framecast.export.onnx_graph import export_onnx
from framecast.export.parity import compare, gaussian
from framecast.export.torch_graph import TorchGraph

CONCEPT_LEVEL = 0.0005
"""diffusers rounds scores to three digits, and calls those above 0 unsafe."""
LABEL_LEVEL = 0.5
"""Unsafe labels are likelier than the others."""
_SPECIAL_CARE = 0.01  # that diffusers adds to all scores of a picture that shows one of the special concepts


class ConceptScore(nn.Module):
    """How far the nearest of a checker's concepts is beyond its threshold.

    As `StableDiffusionSafetyChecker.forward` of diffusers has it, before it rounds.

    Args:
        checker: a `StableDiffusionSafetyChecker`.
    """

    def __init__(self, checker: Any) -> None:
        super().__init__()
        self.checker = checker

    def forward(self, pictures: Tensor) -> Tensor:
        """Scores [N] of pictures [N, 3, H, W]."""
        checker = self.checker
        states = nn.functional.normalize(checker.visual_projection(checker.vision_model(pictures)[1]))
        special = states @ nn.functional.normalize(checker.special_care_embeds).T - checker.special_care_embeds_weights
        concepts = states @ nn.functional.normalize(checker.concept_embeds).T - checker.concept_embeds_weights
        care = (special >= CONCEPT_LEVEL).any(dim=1).float() * _SPECIAL_CARE
        score: Tensor = concepts.amax(dim=1) + care
        return score


class LabelScore(nn.Module):
    """How likely a picture has one of the unsafe labels.

    Args:
        classifier: one of transformers' image classifiers.
        unsafe: indices of those labels.
    """

    def __init__(self, classifier: Any, unsafe: Sequence[int]) -> None:
        super().__init__()
        self.classifier = classifier
        self.unsafe = list(unsafe)

    def forward(self, pictures: Tensor) -> Tensor:
        """Probabilities [N] of pictures [N, 3, H, W]."""
        shares: Tensor = self.classifier(pixel_values=pictures).logits.softmax(dim=-1)
        return shares[:, self.unsafe].sum(dim=1)


def export_safety_checker(
    score: nn.Module, size: tuple[int, int], path: Path, *, opset: int, written: bool = False
) -> Exported:
    """Exports a score of pictures of `size`, the batch dynamic, and checks it; what is `written` is only checked.

    Raises:
        ParityError: it differs from torch.
    """
    score = score.eval()
    sample = {"pictures": gaussian(1, 2, 3, *size)}
    graph = TorchGraph(
        score,
        {name: torch.from_numpy(value) for name, value in sample.items()},
        {"pictures": {0: Dim("batch", max=64)}},
        ["score"],
    )
    if not written:
        export_onnx(graph, path, opset=opset)

    def check(engine: Engine) -> Mapping[str, float]:
        cases = [sample, {"pictures": gaussian(2, 1, 3, *size)}, {"pictures": gaussian(3, 3, 3, *size)}]
        return compare("safety_checker", engine, lambda **i: [score(**i)], cases, ["score"])

    return checked(path, opset, graph, score, check)
