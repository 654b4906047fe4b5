"""The models of a bundle, loaded."""

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
    import torch
    import transformers

    for library in (diffusers.utils.logging, transformers.utils.logging):  # our own report is the progress
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        pipeline = _pipeline(bundle)
        folder = bundle.part("planner")
        planner = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise InvalidRepository(f"The bundle {bundle.path} cannot be loaded: {reason[:400]}") from error
    pipeline.set_progress_bar_config(disable=True)
    for module in (pipeline.unet, pipeline.vae, pipeline.text_encoder, planner):
        module.eval().requires_grad_(False)
    return pipeline, planner, tokenizer


def _pipeline(bundle: Bundle) -> Any:
    """The pipeline; an image directory with a motion adapter beside it becomes AnimateDiff."""
    import torch
    from diffusers import AnimateDiffPipeline, DiffusionPipeline, MotionAdapter

    load: Any = DiffusionPipeline.from_pretrained
    options: dict[str, Any] = {"dtype": torch.float32, "use_safetensors": True, "local_files_only": True}
    if bundle.pipeline == "StableDiffusionPipeline":
        # Content is reviewed by the gateway, for every family alike.
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
                read_adapter(bundle.part(ADAPTER), **options),
                image.scheduler,
            )
        options.update(parts)
    return load(bundle.path, **options)


def chat_template(tokenizer: Any, instructions: str) -> tuple[str, str]:
    """What the planner's chat template puts before and after the story; models that can think are told not to.

    Raises:
        InvalidRepository: there is no template, or it changes the user's message.
    """
    mark = "\u2063story\u2063"
    messages = [{"role": "system", "content": instructions}] if instructions else []
    messages.append({"role": "user", "content": mark})
    if not tokenizer.chat_template:
        raise InvalidRepository("The planner's tokenizer has no chat template; add one to its tokenizer_config.json.")
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, enable_thinking=False)
    prefix, found, suffix = text.partition(mark)
    if not found:
        raise InvalidRepository("The planner's chat template does not pass the user's message through unchanged.")
    return prefix, suffix
