"""Faster layers for training on a processor; the weights and the results are those of the model library's own.

PyTorch's convolution over time and its fused attention are slow for short clips: 3 × 1 × 1 kernels take a slow path,
and blocks of attention are laid out for hundreds of positions, not for twelve frames.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import TemporalConvLayer
from torch import nn

from framecast.train.models import Unet


def quicken(unet: Unet) -> None:
    """Replaces the slow computations in place; nothing about the saved model changes."""
    for module in unet.modules():
        if isinstance(module, Attention):
            plain: Any = PlainAttention()
            module.set_processor(plain)
        elif isinstance(module, TemporalConvLayer):
            for block in (module.conv1, module.conv2, module.conv3, module.conv4):
                convolution: Any = block[-1]
                convolution.forward = _over_time(convolution)


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


def _over_time(convolution: nn.Conv3d) -> Any:
    """A 3 × 1 × 1 convolution as a two-dimensional one over [frames, pixels]."""

    def forward(x: torch.Tensor) -> torch.Tensor:
        count, channels, frames, height, width = x.shape
        flat = x.reshape(count, channels, frames, height * width)
        out = F.conv2d(flat, convolution.weight[..., 0], convolution.bias, padding=(1, 0))
        return out.view(count, -1, frames, height, width)

    return forward
