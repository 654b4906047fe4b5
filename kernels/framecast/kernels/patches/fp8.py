"""Products in e4m3: convolutions behind a norm, projections behind a layer norm, the way out of feed-forward layers.

Half the bytes and, on Hopper and later, twice the operations a second of bfloat16, for three significant bits: this is
not the same result. What a norm gives needs no scale (see `group_norm_silu_fp8`), and one scale for the whole weight is
then the fastest product; what leaves a GEGLU has a scale for each token, taken from its largest value, and the weight
one for each output channel.
"""

from typing import Any

import torch
from torch import Tensor, nn

from framecast.kernels.conv.fp8 import FP8, pack
from framecast.kernels.conv.naive import quantise
from framecast.kernels.patches.forward import is_replaced, replace_forward

WEIGHT, SCALE = "weight_fp8", "scale_fp8"  # buffers of a module that multiplies in e4m3
_LARGEST = torch.finfo(FP8).max
_WIDTH = 128  # output channels of the convolution's tile
_DEEP = 640  # input channels from which it is the faster one even where a tile is half empty (docs/log.md)


def patch_fp8(model: nn.Module) -> int:
    """Makes the layers where it pays multiply in e4m3; the number of them.

    Convolutions take part where `patch` has replaced their residual block. Weights are packed as they are now: patch
    again after loading others.
    """
    from diffusers.models.attention import BasicTransformerBlock
    from diffusers.models.resnet import ResnetBlock2D

    count = 0
    for module in model.modules():
        if type(module) is ResnetBlock2D and is_replaced(module):
            blocks: Any = module
            for conv in (blocks.conv1, blocks.conv2):
                count += _pack_conv(conv)
        elif type(module) is BasicTransformerBlock and module.norm_type == "layer_norm":
            count += sum(_pack_linear(linear, by_token=False) for linear in _projections(module))
            count += _pack_linear(module.ff.net[2], by_token=True)
    return count


def in_fp8(module: nn.Module) -> bool:
    """Whether the module's weight is packed."""
    return WEIGHT in module._buffers


def unpack(module: nn.Module) -> None:
    """Forgets packed weights."""
    for name in (WEIGHT, SCALE):
        if name in module._buffers:
            delattr(module, name)


def _projections(block: Any) -> list[Any]:
    """What a layer norm feeds."""
    found = [block.attn1.to_q, block.attn1.to_k, block.attn1.to_v, block.ff.net[0].proj]
    if block.attn2 is not None:
        found.append(block.attn2.to_q)
        if not block.attn2.is_cross_attention:
            found += [block.attn2.to_k, block.attn2.to_v]
    return found


def _pack_conv(conv: Any) -> bool:
    pays = conv.in_channels >= _DEEP or (conv.in_channels >= _WIDTH and conv.out_channels % _WIDTH == 0)
    plain = (
        type(conv) is nn.Conv2d
        and conv.kernel_size == (3, 3)
        and conv.stride == conv.padding == conv.dilation == (1, 1)
        and conv.groups == 1
        and conv.bias is not None
        and conv.in_channels % 16 == conv.out_channels % 16 == 0
    )
    if plain and pays:
        _keep(conv, *pack(conv.weight.detach()))
    return plain and pays


def _pack_linear(linear: Any, *, by_token: bool) -> bool:
    if type(linear) is not nn.Linear or is_replaced(linear) or linear.in_features % 16 or linear.out_features % 16:
        return False
    weight = linear.weight.detach().float()
    largest = weight.abs().amax(1, keepdim=True) if by_token else weight.abs().max()
    scale = largest.clamp(min=1e-12) / _LARGEST
    _keep(linear, quantise(weight / scale), scale.t().contiguous() if by_token else scale)
    replace_forward(linear, _scaled_by_token if by_token else _behind_norm)
    return True


def _keep(module: nn.Module, weight: Tensor, scale: Tensor) -> None:
    module.register_buffer(WEIGHT, weight, persistent=False)
    module.register_buffer(SCALE, scale, persistent=False)


def _behind_norm(self: Any, x: Tensor) -> Tensor:
    return _product(self, quantise(x), torch.ones((), dtype=torch.float32, device=x.device), x)


def _scaled_by_token(self: Any, x: Tensor) -> Tensor:
    scale = x.float().abs().amax(-1, keepdim=True).clamp(min=1e-12) / _LARGEST
    return _product(self, quantise(x.float() / scale), scale.reshape(-1, 1), x)


def _product(self: Any, values: Tensor, scale: Tensor, x: Tensor) -> Tensor:
    rows = values.reshape(-1, values.shape[-1])
    if not values.is_cuda:
        out = (rows.float() @ self.weight_fp8.float().t()) * scale * self.scale_fp8
        out = (out if self.bias is None else out + self.bias.float()).to(x.dtype)
    else:
        out = torch._scaled_mm(
            rows,
            self.weight_fp8.t(),
            scale_a=scale,
            scale_b=self.scale_fp8,
            bias=self.bias,
            out_dtype=x.dtype,
            use_fast_accum=True,
        )
    product: Tensor = out.reshape(*x.shape[:-1], self.out_features)
    return product
