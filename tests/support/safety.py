"""Tiny safety checkers with random weights, for any bundle."""

from pathlib import Path
from typing import Any

import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import CLIPConfig, CLIPImageProcessor, ViTConfig, ViTForImageClassification, ViTImageProcessor

SIDE = 32  # of what they see, pixels
_SIZES = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 8,
}


def write_concept_checker(bundle: Path) -> StableDiffusionSafetyChecker:
    """The kind that Stable Diffusion comes with, which finds nothing unsafe yet; see `know`."""
    torch.manual_seed(11)
    config = CLIPConfig(vision_config=_SIZES, text_config={"hidden_size": 16}, projection_dim=24)
    checker = StableDiffusionSafetyChecker(config).eval()
    for name in ("concept_embeds", "special_care_embeds"):
        getattr(checker, name).data.normal_()
        getattr(checker, f"{name}_weights").data.fill_(2.0)  # no cosine is as large
    # The usual start is near 0 and sees all pictures alike.
    for parameter in checker.vision_model.parameters():
        if parameter.ndim > 1:
            parameter.data.mul_(10)
    checker.save_pretrained(bundle / "safety_checker")
    image_processor().save_pretrained(bundle / "feature_extractor")
    return checker


def know(checker: StableDiffusionSafetyChecker, picture: Any, bundle: Path, *, threshold: float) -> None:
    """Makes `picture`, uint8 [H, W, 3], the first of the checker's concepts, and saves it."""
    pixels = torch.as_tensor(image_processor()(picture, return_tensors="np").pixel_values)
    with torch.no_grad():
        checker.concept_embeds[0] = checker.visual_projection(checker.vision_model(pixels)[1])[0]
        checker.concept_embeds_weights[0] = threshold
    checker.save_pretrained(bundle / "safety_checker")


def image_processor() -> Any:
    """As CLIP's, of pictures of `SIDE` pixels."""
    return CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})


def write_classifier(bundle: Path) -> ViTForImageClassification:
    """A classifier of three labels."""
    torch.manual_seed(12)
    labels = {0: "neutral", 1: "suggestive", 2: "explicit"}
    model = ViTForImageClassification(ViTConfig(**_SIZES, id2label=labels)).eval()
    model.save_pretrained(bundle / "safety_checker")
    ViTImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(bundle / "safety_checker")
    return model
