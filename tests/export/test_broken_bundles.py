"""Bundles that a library would load and fill up, or that only serving would find wrong: one sentence at the export."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from tests.support.tiny_bundle import write_tiny_planner

from framecast.errors import InvalidRepository
from framecast.export.bundle import Bundle
from framecast.export.exporter import export_bundle
from framecast.export.options import ExportOptions


def _weights(bundle: Path, part: str, change: Callable[[dict[str, Any], str], None]) -> None:
    """Changes the first tensor of a layer that has several like it."""
    (path,) = (bundle / part).glob("*.safetensors")
    tensors = load_file(path)
    change(tensors, next(name for name in sorted(tensors) if name.endswith("weight") and "norm" not in name))
    save_file(tensors, path, metadata={"format": "pt"})


def _drop(tensors: dict[str, Any], name: str) -> None:
    del tensors[name]


def _reshape(tensors: dict[str, Any], name: str) -> None:
    tensors[name] = tensors[name][:-1].clone()


def _config(bundle: Path, file: str, **values: Any) -> None:
    path = bundle / file
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **values}), encoding="utf-8")


def _scheduler(bundle: Path, name: str) -> None:
    _config(bundle, "scheduler/scheduler_config.json", _class_name=name)
    _config(bundle, "model_index.json", scheduler=["diffusers", name])


def _template(bundle: Path, text: str) -> None:
    (bundle / "planner" / "chat_template.jinja").write_text(text, encoding="utf-8")


def _wordpiece(bundle: Path) -> None:
    path = bundle / "planner" / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    tokenizer["decoder"] = {"type": "WordPiece", "prefix": "##", "cleanup": True}
    path.write_text(json.dumps(tokenizer), encoding="utf-8")


MODELS = Path(__file__).parents[2] / "model_repository"


CASES: list[tuple[Callable[[Path], object], str]] = [
    (lambda b: _weights(b, "planner", _drop), r"planner has no weights for .*weight; save the whole model"),
    (lambda b: _weights(b, "text_encoder", _drop), r"text_encoder has no weights for .*weight"),
    (lambda b: _weights(b, "unet", _drop), r"unet has no weights for .*weight"),
    (lambda b: _weights(b, "vae", _drop), r"vae has no weights for .*weight"),
    (lambda b: _weights(b, "planner", _reshape), r"planner has .* as \(.*\); its config.json makes it \(.*\)"),
    (lambda b: _weights(b, "text_encoder", _reshape), r"text_encoder has .* as \(.*\); its config.json makes it"),
    (lambda b: _config(b, "framecast.json", width=33), r"The usual width is 33; name a multiple of 8"),
    (lambda b: _config(b, "framecast.json", width=2048), r"The usual width is 2048, above 1024; name a smaller one"),
    (lambda b: _config(b, "framecast.json", height=250), r"The usual height is 250; name a multiple of 8"),
    (lambda b: _config(b, "framecast.json", guidance_scale="high"), r"guidance_scale is 'high', which is not a number"),
    (lambda b: _config(b, "framecast.json", steps=4.5), r"steps is 4.5, which is not a whole number"),
    (lambda b: _config(b, "framecast.json", fps=True), r"fps is True, which is not a whole number"),
    (lambda b: _config(b, "framecast.json", planner_subjects=["a"]), r"planner_subjects must hold a list of nouns"),
    (lambda b: _config(b, "framecast.json", planner_instructions=1), r"planner_instructions is 1, which is no text"),
    (lambda b: _config(b, "framecast.json", planner_prompts=["a"]), r"planner_prompts is \['a'\], which is no text"),
    (
        lambda b: _config(b, "framecast.json", planner_prompts="^a {subjects}$"),
        r"there are no planner_subjects to stand",
    ),
    (lambda b: _config(b, "framecast.json", planner_prompts="^a [$"), r"planner_prompts in framecast.json is no form"),
    (lambda b: _config(b, "framecast.json", planner_max_new_tokens=9000), r"leaves no room for a story"),
    (
        lambda b: (b / "planner" / "chat_template.jinja").write_text("{% for %}", encoding="utf-8"),
        r"chat template cannot be filled in",
    ),
    (lambda b: _config(b, "framecast.json", camera="drone"), r"camera is 'drone'; it must be view or prompt"),
    (
        lambda b: _config(b, "planner/config.json", rope_parameters={"rope_type": "longrope"}),
        r"longrope rotary positions, whose frequencies depend on how long a text is",
    ),
    (
        lambda b: _config(b, "text_encoder/config.json", use_attention_mask=True),
        r"use_attention_mask, which is not served",
    ),
    (
        lambda b: shutil.copy(
            b / "unet" / "diffusion_pytorch_model.safetensors", b / "pytorch_lora_weights.safetensors"
        ),
        r"/pytorch_lora_weights.safetensors is a LoRA, which is not read; fuse it into its model first",
    ),
    (
        lambda b: shutil.copy(
            b / "unet" / "diffusion_pytorch_model.safetensors", b / "unet" / "pytorch_lora_weights.safetensors"
        ),
        r"unet/pytorch_lora_weights.safetensors is a LoRA",
    ),
    (
        lambda b: (b / "planner" / "adapter_config.json").write_text("{}", encoding="utf-8"),
        r"planner/adapter_config.json is a LoRA",
    ),
    (
        lambda b: (b / "vae" / "diffusion_pytorch_model.safetensors").rename(
            b / "vae" / "diffusion_pytorch_model.fp16.safetensors"
        ),
        r"diffusion_pytorch_model.fp16.safetensors only, a variant",
    ),
    (
        lambda b: _config(b, "tokenizer/tokenizer_config.json", model_max_length=4000),
        r"model_max_length 4000, and the text encoder",
    ),
    (lambda b: _config(b, "tokenizer/tokenizer_config.json", model_max_length=10**30), r"names no model_max_length"),
    (
        lambda b: _template(b, "{{ messages[0]['content'] }} again: {{ messages[0]['content'] }}"),
        r"shows the user's message twice",
    ),
    (
        lambda b: (
            _config(b, "framecast.json", planner_instructions="Plan."),
            _template(b, "<story>{{ messages[-1]['content'] }}"),
        ),
        r"leaves planner_instructions out",
    ),
    (
        lambda b: _config(b, "scheduler/scheduler_config.json", _class_name="HeunDiscreteScheduler"),
        r"is of a HeunDiscreteScheduler, but model_index.json names DDIMScheduler; write the same in both",
    ),
    (lambda b: _scheduler(b, "LMSDiscreteScheduler"), r"LMSDiscreteScheduler (requires the scipy|is not linear)"),
    (
        lambda b: _config(b, "scheduler/scheduler_config.json", clip_sample=True),
        r"it clips its samples: write clip_sample false in scheduler/scheduler_config.json",
    ),
    (
        lambda b: (b / "tokenizer" / "tokenizer.json").unlink(),
        r"knows no word of 'a red car': its vocabulary is missing",
    ),
    (lambda b: _wordpiece(b), r"cannot be held to the storyboard's grammar"),
    (lambda b: _config(b, "framecast.json", fps=10**9), r"fps is 1000000000; it must be at most 60"),
    (lambda b: _config(b, "framecast.json", guidance_scale=-3), r"guidance_scale is -3; it must be at least 0"),
    (lambda b: _config(b, "framecast.json", planner_max_new_tokens=0), r"planner_max_new_tokens is 0; .* at least 1"),
    (lambda b: _config(b, "framecast.json", segment_latents=100_000), r"segment_latents is 100000; it must be at most"),
    (lambda b: _config(b, "framecast.json", hold=10**6), r"hold is 1000000; it must be at most 240"),
    (
        lambda b: _config(b, "tokenizer/tokenizer_config.json", model_max_length="48"),
        r"has model_max_length '48', which is no whole number",
    ),
    (lambda b: _config(b, "planner/config.json", rope_parameters="x"), r"has a value of the wrong type: "),
    (lambda b: _config(b, "planner/config.json", rope_scaling="x"), r"cannot be loaded: "),
    (lambda b: _config(b, "unet/config.json", _class_name=["a"]), r"has a value of the wrong type|holds a \['a'\]"),
    (
        lambda b: shutil.copy(b / "planner" / "tokenizer.json", b / "tokenizer" / "tokenizer.json"),
        r"tokenizer that cannot read 'a red car': .*; is it the text encoder's own|names no pad_token|vocabulary",
    ),
    (
        lambda b: _config(b, "model_index.json", safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"]),
        r"names a safety_checker, but .*safety_checker is no folder: bring it, or export without it",
    ),
    (
        lambda b: (b / "safety_checker").symlink_to("nowhere"),
        r"names a safety_checker, but .*safety_checker is no folder",
    ),
]


@pytest.mark.parametrize(("change", "message"), CASES, ids=[message[:28] for _, message in CASES])
def test_it_is_told_before_anything_is_exported(
    tiny_bundle: Path, tmp_path: Path, change: Callable[[Path], object], message: str
) -> None:
    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    change(bundle)
    with pytest.raises(InvalidRepository, match=message) as told:
        export_bundle(Bundle.open(bundle), tmp_path / "served", ExportOptions(MODELS))
    assert "\n" not in str(told.value)
    assert not (tmp_path / "served").exists()


def test_a_tokenizer_that_says_more_than_its_model_knows_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    shutil.rmtree(bundle / "planner")
    write_tiny_planner(bundle / "planner")
    tokenizer = AutoTokenizer.from_pretrained(bundle / "planner")
    tokenizer.add_tokens([f"<new {index}>" for index in range(200)])
    tokenizer.save_pretrained(bundle / "planner")
    with pytest.raises(InvalidRepository, match=r"a tokenizer of \d+ tokens and a model of \d+"):
        export_bundle(Bundle.open(bundle), tmp_path / "served", ExportOptions(MODELS))
