"""Temporal transformers (AnimateDiff's motion modules, ModelScope's TransformerTemporalModel) without transposes.

diffusers moves [B · F, C, H, W] to [B · H · W, F, C] and back. Everything in the block but the attention works token
by token, so here the tokens stay where channels-last memory has them, [B · F, H · W, C].
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from framecast.kernels.patches.attention import (
    has_plain_processor,
    is_plain,
    projected_out,
    projections,
    query_key_value,
)
from framecast.kernels.patches.forward import is_foreign, is_replaced, original, replace_forward
from framecast.kernels.patches.kept import keep
from framecast.kernels.patches.norm import apply_norm
from framecast.kernels.switches import enabled
from framecast.kernels.temporal_attention.config import MAX_FRAMES, MAX_WIDTH
from framecast.kernels.temporal_attention.op import temporal_attention

OP = "temporal_attention"
TABLE = "position_table"  # buffer of an attention: [3, longest, C], what positions add to q, k and v


def patch_temporal_attention(model: nn.Module) -> int:
    """Patches every temporal transformer whose blocks are all plain self-attention; their number."""
    from diffusers.models.transformers.transformer_temporal import TransformerTemporalModel
    from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D

    replacements: dict[type, Any] = {AnimateDiffTransformer3D: _animate_diff, TransformerTemporalModel: _model_scope}
    count = 0
    for module in model.modules():
        forward = replacements.get(type(module))
        if forward is not None and not is_replaced(module) and all(map(_is_plain, _blocks(module))):
            replace_forward(module, forward)
            for block in _blocks(module):
                _tabulate(block)
            count += 1
    return count


def _blocks(module: Any) -> Any:
    return module.transformer_blocks


def _is_plain(block: Any) -> bool:
    return (
        block.norm_type == "layer_norm"
        and not block.only_cross_attention
        and block._chunk_size is None
        and all(_is_plain_attention(attention) for attention in (block.attn1, block.attn2) if attention is not None)
    )


def _tabulate(block: Any) -> None:
    """Position embeddings as tables for `temporal_attention`: W (x + e) + b = (W x + b) + W e."""
    if block.pos_embed is None:
        return
    for attention in (block.attn1, block.attn2):
        if attention is not None:
            weights = [projection.weight for projection in projections(attention)]
            embedding = block.pos_embed.pe[0].to(weights[0].dtype)
            table = torch.stack([F.linear(embedding, weight) for weight in weights]).detach()
            keep(attention, TABLE, table)


def _is_plain_attention(attention: Any) -> bool:
    return is_plain(attention) and attention.inner_dim // attention.heads <= MAX_WIDTH


def _animate_diff(
    self: Any,
    hidden_states: Tensor,
    encoder_hidden_states: Tensor | None = None,
    timestep: Tensor | None = None,
    class_labels: Tensor | None = None,
    num_frames: int = 1,
    cross_attention_kwargs: dict[str, Any] | None = None,
) -> Any:
    if _is_ours(self, encoder_hidden_states, num_frames, cross_attention_kwargs):
        return _transform(self, hidden_states, num_frames)
    return original(
        self, hidden_states, encoder_hidden_states, timestep, class_labels, num_frames, cross_attention_kwargs
    )


def _model_scope(
    self: Any,
    hidden_states: Tensor,
    encoder_hidden_states: Tensor | None = None,
    timestep: Tensor | None = None,
    class_labels: Tensor | None = None,
    num_frames: int = 1,
    cross_attention_kwargs: dict[str, Any] | None = None,
    return_dict: bool = True,
) -> Any:
    from diffusers.models.transformers.transformer_temporal import TransformerTemporalModelOutput

    if not _is_ours(self, encoder_hidden_states, num_frames, cross_attention_kwargs):
        return original(
            self,
            hidden_states,
            encoder_hidden_states,
            timestep,
            class_labels,
            num_frames,
            cross_attention_kwargs,
            return_dict,
        )
    sample = _transform(self, hidden_states, num_frames)
    return TransformerTemporalModelOutput(sample=sample) if return_dict else (sample,)


def _is_ours(self: Any, states: Tensor | None, frames: int, attention_arguments: dict[str, Any] | None) -> bool:
    if not enabled(OP) or states is not None or frames > MAX_FRAMES or attention_arguments:
        return False
    blocks = _blocks(self)
    attentions = [attention for block in blocks for attention in (block.attn1, block.attn2) if attention is not None]
    # What is computed without being called, or with positions left out, is still as it was when it was patched.
    layers = [layer for attention in attentions for layer in projections(attention)]
    positions = [block.pos_embed for block in blocks if block.pos_embed is not None]
    along = (self.norm, *blocks, *positions, *attentions, *layers)
    return all(map(has_plain_processor, attentions)) and not any(map(is_foreign, along))


def _transform(self: Any, hidden_states: Tensor, frames: int) -> Tensor:
    """Norm over all frames, blocks, projection, residual, of [B · F, C, H, W]."""
    images, channels, height, width = hidden_states.shape
    clip = hidden_states.reshape(images // frames, frames, channels, height, width).transpose(1, 2)
    tokens = apply_norm(self.norm, clip, silu=False).permute(0, 2, 3, 4, 1).reshape(images, height * width, channels)
    tokens = self.proj_in(tokens)
    for block in _blocks(self):
        tokens = _block(block, tokens, frames)
    image: Tensor = self.proj_out(tokens).reshape(images, height, width, channels).permute(0, 3, 1, 2)
    return image + hidden_states


def _block(block: Any, tokens: Tensor, frames: int) -> Tensor:
    """`BasicTransformerBlock` over frames, of tokens [B · F, H · W, C]."""
    for norm, attention in ((block.norm1, block.attn1), (block.norm2, block.attn2)):
        if attention is not None:
            tokens = _attend(attention, norm(tokens), frames) + tokens
    out: Tensor = block.ff(block.norm3(tokens)) + tokens
    return out


def _attend(attention: Any, tokens: Tensor, frames: int) -> Tensor:
    table = getattr(attention, TABLE, None)
    position = None if table is None else table[:, :frames].to(tokens.dtype)
    q, k, v = query_key_value(attention, tokens)
    mixed = temporal_attention(q, k, v, frames, attention.heads, attention.scale, position)
    return projected_out(attention, mixed)
