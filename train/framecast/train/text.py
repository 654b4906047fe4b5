"""The text encoder: a small CLIP text model, trained from scratch together with the UNet."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import CLIPTextConfig, CLIPTokenizer

from framecast.train.models import TextEncoder, make_text_encoder


@dataclass(frozen=True)
class TextConfig:
    """Architecture; `hidden` is also the UNet's cross-attention width."""

    hidden: int = 192
    layers: int = 3
    heads: int = 6
    inner: int = 512


def build(config: TextConfig, tokenizer: CLIPTokenizer) -> TextEncoder:
    """A fresh CLIPTextModel with random weights."""
    return make_text_encoder(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.hidden,
            intermediate_size=config.inner,
            projection_dim=config.hidden,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            max_position_embeddings=int(tokenizer.model_max_length),
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def tokenize(tokenizer: CLIPTokenizer, captions: list[str]) -> torch.Tensor:
    """Padded and cut exactly as the diffusers pipeline does: int64 [B, model_max_length]."""
    ids: torch.Tensor = tokenizer(
        captions,
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    ).input_ids
    return ids
