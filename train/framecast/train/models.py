"""The model libraries' classes, which carry few annotations: the aliases say what a value is, `make_…` builds it."""

from __future__ import annotations

from typing import Any, TypeAlias

import diffusers
import transformers

Vae: TypeAlias = Any
"""A diffusers.AutoencoderKL."""
Unet: TypeAlias = Any
"""A diffusers.UNet3DConditionModel."""
Scheduler: TypeAlias = Any
"""A diffusers.DDIMScheduler."""
Pipeline: TypeAlias = Any
"""A diffusers.TextToVideoSDPipeline."""

Planner: TypeAlias = Any
"""A transformers.LlamaForCausalLM."""
TextEncoder: TypeAlias = Any
"""A transformers.CLIPTextModel."""

_library: Any = diffusers
_transformers: Any = transformers

make_vae = _library.AutoencoderKL
read_vae = _library.AutoencoderKL.from_pretrained
make_unet = _library.UNet3DConditionModel
make_scheduler = _library.DDIMScheduler
make_pipeline = _library.TextToVideoSDPipeline
read_pipeline = _library.TextToVideoSDPipeline.from_pretrained
make_planner = _transformers.LlamaForCausalLM
read_planner = _transformers.LlamaForCausalLM.from_pretrained
make_text_encoder = _transformers.CLIPTextModel
make_fast_tokenizer = _transformers.PreTrainedTokenizerFast
make_clip_tokenizer = _transformers.CLIPTokenizer
