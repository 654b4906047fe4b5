"""Products in e4m3: convolutions behind a norm, projections behind a layer norm, the way out of feed-forward layers.

Half the bytes and, on Hopper and later, twice the operations a second of bfloat16, for three significant bits: this is
not the same result. What a norm gives needs no scale (see `group_norm_silu_fp8`), and one scale for the whole weight is
then the fastest product; what leaves a GEGLU has a scale for each token (`geglu_fp8`), and the weight one for each
output channel.
"""

from typing import Any

import torch
from torch import Tensor, nn

from framecast.kernels.fp8 import naive
from framecast.kernels.fp8.conv import pack
from framecast.kernels.fp8.geglu import geglu_fp8
from framecast.kernels.fp8.naive import quantise_rows
from framecast.kernels.patches.attention import is_joint, projections
from framecast.kernels.patches.convolution import is_plain_3x3
from framecast.kernels.patches.forward import is_foreign, is_replaced, original, replace_forward
from framecast.kernels.patches.packed import behind_norm, in_fp8, keep_packed, pack_whole, product
from framecast.kernels.switches import enabled
from framecast.kernels.upsample_conv.launch import has_copy_engine

_WIDTH = 128  # output channels of the convolution's tile
_DEEP = 640  # input channels from which it is the faster one even where a tile is half empty (docs/log.md)


def patch_fp8(model: nn.Module) -> int:
    """Makes the layers where it pays multiply in e4m3; the number of layers packed now.

    Convolutions take part where `patch` has replaced their residual block. Weights are packed as they are now:
    `unpatch` and patch again after loading others, and after changing dtype. On a CPU the numbers are those of a GPU,
    the speed is not.

    Raises:
        ValueError: the model is on a GPU older than compute capability 9.0, or there and not in bfloat16.
    """
    weight = next(model.parameters())
    if weight.is_cuda and not has_copy_engine(weight.device):
        major, minor = torch.cuda.get_device_capability(weight.device)
        raise ValueError(f"fp8: compute capability {major}.{minor} is older than 9.0; leave fp8 off on this GPU.")
    if weight.is_cuda and weight.dtype != torch.bfloat16:
        raise ValueError(f"fp8: the model is in {weight.dtype}; move it to torch.bfloat16 first.")
    from diffusers.models.attention import BasicTransformerBlock
    from diffusers.models.resnet import ResnetBlock2D

    count = 0
    for module in model.modules():
        block: Any = module
        if type(module) is ResnetBlock2D and is_replaced(module):
            count += _pack_conv(block.conv1) + _pack_conv(block.conv2)
        elif type(module) is BasicTransformerBlock and module.norm_type == "layer_norm":
            attentions = [attention for attention in (block.attn1, block.attn2) if attention is not None]
            count += sum(map(_pack_projections, attentions)) + _pack_feed_forward(block.ff)
    return count


def _pack_projections(attention: Any) -> int:
    """Of an attention what its layer norm feeds: with text, the query alone."""
    layers = projections(attention)
    if is_joint(attention):
        if in_fp8(attention) or not all(map(_fits, layers)):
            return 0
        pack_whole(attention, attention.weight_qkv)
        return len(layers)
    return sum(map(_pack_behind_norm, layers[:1] if attention.is_cross_attention else layers))


def _pack_conv(conv: Any) -> bool:
    if not is_plain_3x3(conv) or conv.in_channels % 16 or conv.out_channels % 16:
        return False
    pays: bool = conv.in_channels >= _DEEP or (conv.in_channels >= _WIDTH and conv.out_channels % _WIDTH == 0)
    if pays:
        keep_packed(conv, *pack(conv.weight.detach()))
    return pays


def _pack_behind_norm(linear: Any) -> bool:
    if not _fits(linear) or is_replaced(linear):
        return False
    pack_whole(linear, linear.weight)
    replace_forward(linear, _behind_norm)
    return True


def _pack_feed_forward(layer: Any) -> int:
    from diffusers.models.activations import GEGLU

    if is_replaced(layer) or type(layer.net[0]) is not GEGLU or not (_fits(layer.net[0].proj) and _fits(layer.net[2])):
        return 0
    pack_whole(layer.net[0].proj, layer.net[0].proj.weight)
    values, scale = quantise_rows(layer.net[2].weight.detach())
    keep_packed(layer.net[2], values, scale.t().contiguous())
    replace_forward(layer, _feed_forward)
    return 2


def _fits(linear: Any) -> bool:
    return type(linear) is nn.Linear and linear.in_features % 16 == linear.out_features % 16 == 0


def _behind_norm(self: Any, x: Tensor) -> Tensor:
    return behind_norm(self, x, self.bias)


def _feed_forward(self: Any, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
    gated, out = self.net[0].proj, self.net[2]
    if any(map(is_foreign, (*self.net, gated))):
        return original(self, hidden_states, *args, **kwargs)
    projected = behind_norm(gated, hidden_states, gated.bias)
    values, scale = geglu_fp8(projected) if enabled("geglu") else naive.geglu_fp8(projected)
    return product(out, values, scale.reshape(-1, 1), out.bias, hidden_states.dtype)
