"""The models of a bundle, loaded."""

from typing import Any

from framecast.errors import InvalidRepository
from framecast.export.bundle import Bundle


def load_models(bundle: Bundle) -> tuple[Any, Any, Any]:
    """The diffusers pipeline, the planner and its tokenizer, in float32, from local safetensors only."""
    import diffusers
    import torch
    import transformers
    from diffusers import DiffusionPipeline
    from transformers import AutoModelForCausalLM, AutoTokenizer

    for library in (diffusers.utils.logging, transformers.utils.logging):  # our own report is the progress
        library.set_verbosity_error()
        library.disable_progress_bar()
    load: Any = DiffusionPipeline.from_pretrained
    pipeline = load(bundle.path, dtype=torch.float32, use_safetensors=True, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    folder = bundle.part("planner")
    planner = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
    )
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    for module in (pipeline.unet, pipeline.vae, pipeline.text_encoder, planner):
        module.eval().requires_grad_(False)
    return pipeline, planner, tokenizer


def chat_template(tokenizer: Any, instructions: str) -> tuple[str, str]:
    """What the planner's chat template puts before and after the story."""
    mark = "\u2063story\u2063"
    messages = [{"role": "system", "content": instructions}] if instructions else []
    messages.append({"role": "user", "content": mark})
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    prefix, found, suffix = text.partition(mark)
    if not found:
        raise InvalidRepository("The planner's chat template does not pass the user's message through unchanged.")
    return prefix, suffix
