"""The models of a bundle, loaded."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from framecast.errors import InvalidRepository
from framecast.export.bundle import Bundle
from framecast.export.checks import ADAPTER


def load_models(bundle: Bundle) -> tuple[Any, Any, Any]:
    """The diffusers pipeline, the planner and its tokenizer, in float32, from local safetensors only.

    Raises:
        InvalidRepository: the libraries cannot load what the configs promise.
    """
    import diffusers
    import transformers

    for library in (diffusers.utils.logging, transformers.utils.logging):  # our own report is the progress
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        text_encoder = whole_model(transformers.CLIPTextModel, bundle.part("text_encoder"))
        pipeline = _pipeline(bundle, text_encoder)
        folder = bundle.part("planner")
        planner = whole_model(transformers.AutoModelForCausalLM, folder)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except InvalidRepository:
        raise
    except Exception as error:  # what their libraries raise has no common class
        reason = " ".join(str(error).split())
        raise InvalidRepository(f"The bundle {bundle.path} cannot be loaded: {reason[:400]}") from error
    for name, part in (("unet", pipeline.unet), ("vae", pipeline.vae)):  # what is missing has no values in diffusers
        _refuse_missing(bundle.part(name), [key for key, value in part.state_dict().items() if value.is_meta])
    pipeline.set_progress_bar_config(disable=True)
    for module in (pipeline.unet, pipeline.vae, pipeline.text_encoder, planner):
        module.eval().requires_grad_(False)
    return pipeline, planner, tokenizer


def whole_model(kind: Any, folder: Path) -> Any:
    """A model of transformers, which would make up the weights that its file lacks. Raises InvalidRepository."""
    import torch

    model, found = kind.from_pretrained(
        folder,
        dtype=torch.float32,
        use_safetensors=True,
        local_files_only=True,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    _refuse_missing(folder, found["missing_keys"])
    for name, theirs, ours in sorted(found["mismatched_keys"]):
        raise InvalidRepository(f"{folder} has {name} as {tuple(theirs)}; its config.json makes it {tuple(ours)}.")
    return model


def _refuse_missing(folder: Path, names: Collection[str]) -> None:
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise InvalidRepository(f"{folder} has no weights for {min(names)}{more}; save the whole model there.")


def _pipeline(bundle: Bundle, text_encoder: Any) -> Any:
    """The pipeline; an image directory with a motion adapter beside it becomes AnimateDiff."""
    import torch
    from diffusers import AnimateDiffPipeline, DiffusionPipeline, MotionAdapter

    load: Any = DiffusionPipeline.from_pretrained
    options: dict[str, Any] = {"dtype": torch.float32, "use_safetensors": True, "local_files_only": True}
    adapter = options.copy()
    options["text_encoder"] = text_encoder
    if bundle.pipeline == "StableDiffusionPipeline":
        # What is not a pipeline's work: `framecast.export.safety` exports it, for every family alike.
        parts: dict[str, Any] = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
        if bundle.part(ADAPTER).is_dir():
            read_adapter: Any = MotionAdapter.from_pretrained
            image = load(bundle.path, **parts, **options)
            animate: Any = AnimateDiffPipeline
            return animate(
                image.vae,
                image.text_encoder,
                image.tokenizer,
                image.unet,
                read_adapter(bundle.part(ADAPTER), **adapter),
                image.scheduler,
            )
        options.update(parts)
    return load(bundle.path, **options)


def chat_template(tokenizer: Any, instructions: str) -> tuple[str, str]:
    """What the planner's chat template puts before and after the story; models that can think are told not to.

    Raises:
        InvalidRepository: there is no template, or it changes the user's message.
    """
    from jinja2 import TemplateError

    mark = "\u2063story\u2063"  # no template and no system message has that
    messages = [{"role": "system", "content": instructions}] if instructions else []
    messages.append({"role": "user", "content": mark})
    if not tokenizer.chat_template:
        raise InvalidRepository("The planner's tokenizer has no chat template; add one to its tokenizer_config.json.")
    try:
        text = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
    except TemplateError as error:
        raise InvalidRepository(f"The planner's chat template cannot be filled in: {error}.") from error
    prefix, found, suffix = text.partition(mark)
    if not found:
        raise InvalidRepository("The planner's chat template does not pass the user's message through unchanged.")
    if mark in suffix:
        raise InvalidRepository(
            "The planner's chat template shows the user's message twice; one that shows it once is needed."
        )
    if not any(form in prefix + suffix for form in (instructions.strip(), json.dumps(instructions)[1:-1])):
        raise InvalidRepository("The planner's chat template leaves planner_instructions out, the system message.")
    return prefix, suffix
