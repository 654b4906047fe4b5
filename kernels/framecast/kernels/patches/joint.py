"""Query, key and value of self-attention as one product: what they multiply is read once.

Every output is the sum it was. One product of three times the width is also a better shape where a layer is narrow, as
in the outer levels of a UNet.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from framecast.kernels.patches.attention import (
    BIAS,
    WEIGHT,
    has_plain_processor,
    is_joint,
    is_plain,
    projected_out,
    projections,
    query_key_value,
)
from framecast.kernels.patches.forward import is_hooked, is_replaced, original, replace_forward
from framecast.kernels.patches.kept import keep


def join_projections(model: nn.Module) -> int:
    """Joins the projections of every self-attention; the number of attentions joined now.

    Comes after `patch` and `patch_wide_attention`, whose attentions it speeds up too, and before `patch_fp8` and
    `share_halves`. Weights are joined as they are now: `unpatch` and patch again after loading others.
    """
    from diffusers.models.attention_processor import Attention

    found: list[Any] = [module for module in model.modules() if type(module) is Attention and _can_join(module)]
    for attention in found:
        layers = projections(attention)
        keep(attention, WEIGHT, torch.cat([layer.weight.detach() for layer in layers]))
        if layers[0].bias is not None:
            keep(attention, BIAS, torch.cat([layer.bias.detach() for layer in layers]))
        if not is_replaced(attention):
            replace_forward(attention, _attend)
    return len(found)


def _can_join(attention: Any) -> bool:
    layers = projections(attention)
    return (
        not attention.is_cross_attention
        and not is_joint(attention)
        and (is_plain(attention) or is_replaced(attention))
        and all(type(layer) is nn.Linear and not is_hooked(layer) for layer in layers)
        and len({layer.in_features for layer in layers}) == 1
        and len({layer.bias is None for layer in layers}) == 1
    )


def _attend(
    self: Any,
    hidden_states: Tensor,
    encoder_hidden_states: Tensor | None = None,
    attention_mask: Tensor | None = None,
    **kwargs: Any,
) -> Any:
    """`AttnProcessor2_0` of diffusers 0.42 for tokens [N, T, c] that attend to each other."""
    plain = encoder_hidden_states is None and attention_mask is None and hidden_states.dim() == 3
    if not plain or not has_plain_processor(self):
        return original(self, hidden_states, encoder_hidden_states, attention_mask, **kwargs)
    shape = (*hidden_states.shape[:2], self.heads, -1)
    query, key, value = (part.reshape(shape).transpose(1, 2) for part in query_key_value(self, hidden_states))
    mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
    return projected_out(self, mixed)
