"""Self-attention of diffusers: which of it is plain, and its query, key and value."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from framecast.kernels.patches.forward import is_foreign
from framecast.kernels.patches.kept import is_kept
from framecast.kernels.patches.packed import behind_norm, in_fp8

WEIGHT, BIAS = "weight_qkv", "bias_qkv"  # buffers of an attention: [3C, c]; [3C] where its projections have a bias


def projections(attention: Any) -> tuple[Any, Any, Any]:
    """The layers that make query, key and value."""
    return attention.to_q, attention.to_k, attention.to_v


def has_plain_processor(attention: Any) -> bool:
    """Whether diffusers' own processor attends, and not somebody's adapter."""
    return type(attention.processor).__name__ in ("AttnProcessor", "AttnProcessor2_0")


def is_plain(attention: Any) -> bool:
    """Whether it is three products, attention, and a product: no norm and no residual of its own."""
    layers = projections(attention)
    return (
        has_plain_processor(attention)
        and all(type(layer) is nn.Linear for layer in layers)
        and len({layer.out_features for layer in layers}) == 1
        and all(
            getattr(attention, name) is None
            for name in ("group_norm", "spatial_norm", "norm_q", "norm_k", "norm_cross")
        )
        and not attention.residual_connection
        and attention.rescale_output_factor == 1.0
    )


def is_joint(attention: nn.Module) -> bool:
    """Whether query, key and value are one product, see `framecast.kernels.patches.joint`."""
    return is_kept(attention, WEIGHT)


def query_key_value(attention: Any, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """[..., C] each of tokens [..., c]; thirds of one product where they are joint."""
    if not is_joint(attention) or any(map(is_foreign, projections(attention))):
        query, key, value = (layer(tokens) for layer in projections(attention))
        return query, key, value
    bias = getattr(attention, BIAS, None)
    eight_bits = in_fp8(attention)
    joint = behind_norm(attention, tokens, bias) if eight_bits else F.linear(tokens, attention.weight_qkv, bias)
    query, key, value = joint.chunk(3, dim=-1)
    return query, key, value


def projected_out(attention: Any, mixed: Tensor) -> Tensor:
    """The attention's last layers, of [..., C]."""
    for layer in attention.to_out:
        mixed = layer(mixed)
    return mixed
