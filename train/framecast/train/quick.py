"""Faster layers for training on a processor; the weights and the results are those of the model library's own.

PyTorch's fused attention is slow for short clips: its blocks are laid out for hundreds of positions, not for twelve
latents.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.attention_processor import Attention

from framecast.train.models import Unet


def quicken(unet: Unet) -> None:
    """Replaces the slow computations in place; nothing about the saved model changes."""
    for module in unet.modules():
        if isinstance(module, Attention):
            plain: Any = PlainAttention()
            module.set_processor(plain)


class PlainAttention:
    """Attention as two batched products and a softmax."""

    def __call__(
        self, attn: Any, hidden_states: torch.Tensor, encoder_hidden_states: torch.Tensor | None = None, **options: Any
    ) -> torch.Tensor:
        """[N, L, C] → [N, L, C], as diffusers calls it; masks and spatial norms are not used here."""
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        count, length, _ = hidden_states.shape
        query, key, value = (
            project(states).view(count, states.shape[1], attn.heads, -1).transpose(1, 2)
            for project, states in ((attn.to_q, hidden_states), (attn.to_k, context), (attn.to_v, context))
        )
        shares = torch.softmax(query * attn.scale @ key.transpose(-1, -2), dim=-1)
        joined = (shares @ value).transpose(1, 2).reshape(count, length, -1)
        out: torch.Tensor = attn.to_out[0](joined) / attn.rescale_output_factor
        return out
