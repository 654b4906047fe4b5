"""Attention with heads too wide for flash attention: two products and a softmax between them.

A VAE attends once, with one head of 512 channels. Fused attention ends at 256 channels, and what torch falls back to
is a kernel for older GPUs; the scores of all pixels fit in memory, and the products run at full speed.
"""

from typing import Any

from torch import Tensor, nn

from framecast.kernels.patches.attention import has_plain_processor, projected_out, query_key_value
from framecast.kernels.patches.forward import is_replaced, original, replace_forward

_FLASH = 256  # channels of a head
_SCORES = 1 << 30  # that may stand in memory at once


def patch_wide_attention(model: nn.Module) -> int:
    """Patches every self-attention over pixels whose heads are wider than flash attention takes; their number."""
    from diffusers.models.attention_processor import Attention

    found: list[Any] = [module for module in model.modules() if type(module) is Attention and _is_wide(module)]
    for module in found:
        replace_forward(module, _attend)
    return len(found)


def _is_wide(attention: Any) -> bool:
    return (
        not is_replaced(attention)
        and attention.inner_dim // attention.heads > _FLASH
        and attention.heads == 1
        and not attention.is_cross_attention
        and has_plain_processor(attention)
        and all(getattr(attention, name) is None for name in ("spatial_norm", "norm_q", "norm_k", "norm_cross"))
    )


def _attend(
    self: Any,
    hidden_states: Tensor,
    encoder_hidden_states: Tensor | None = None,
    attention_mask: Tensor | None = None,
    **kwargs: Any,
) -> Any:
    plain = encoder_hidden_states is None and attention_mask is None and hidden_states.dim() == 4
    plain = plain and has_plain_processor(self)
    if not plain or hidden_states.shape[0] * (hidden_states.shape[2] * hidden_states.shape[3]) ** 2 > _SCORES:
        return original(self, hidden_states, encoder_hidden_states, attention_mask, **kwargs)
    normed = hidden_states if self.group_norm is None else self.group_norm(hidden_states)
    tokens = normed.flatten(2).transpose(1, 2)
    query, key, value = query_key_value(self, tokens)
    mixed = ((query * self.scale) @ key.transpose(1, 2)).softmax(dim=-1) @ value
    out = projected_out(self, mixed).transpose(1, 2).reshape(hidden_states.shape)
    if self.residual_connection:
        out = out + hidden_states
    return out / self.rescale_output_factor
