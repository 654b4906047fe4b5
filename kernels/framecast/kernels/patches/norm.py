"""GroupNorm, with the SiLU after it and the time embedding added before it where there are any."""

from typing import Any

from torch import Tensor, nn

from framecast.kernels.fp8.conv import conv_fp8
from framecast.kernels.fp8.norm import group_norm_silu_fp8
from framecast.kernels.group_norm_silu.op import group_norm_silu, shift_group_norm_silu
from framecast.kernels.patches.forward import (
    are_parted,
    is_foreign,
    is_hooked,
    is_replaced,
    make_partners,
    original,
    replace_forward,
)
from framecast.kernels.patches.packed import in_fp8
from framecast.kernels.switches import enabled

OP = "group_norm_silu"


def patch_norms(model: nn.Module) -> int:
    """Patches residual blocks, (GroupNorm, SiLU, …) sequences, output norms, and every GroupNorm left; their number."""
    from diffusers.models.resnet import ResnetBlock2D

    count = 0
    inner: set[nn.Module] = set()  # norms that a patched parent takes care of
    for module in model.modules():
        fresh = not is_replaced(module)
        if type(module) is ResnetBlock2D and _is_plain(module):
            replace_forward(module, _resnet)
            inner |= {module.norm1, module.norm2}
            count += 2 * fresh
        elif isinstance(module, nn.Sequential) and len(module) > 1 and _is_pair(module[0], module[1]):
            replace_forward(module, _sequence)
            inner.add(module[0])
            count += fresh
        elif _is_pair(getattr(module, "conv_norm_out", None), getattr(module, "conv_act", None)):
            norm, activation = module.get_submodule("conv_norm_out"), module.get_submodule("conv_act")
            replace_forward(norm, _norm_and_silu)
            replace_forward(activation, _nothing)
            make_partners(norm, activation)
            count += 1
    for module in model.modules():
        if _is_norm(module) and module not in inner:
            replace_forward(module, _norm)
            count += 1
    return count


def _is_plain(block: Any) -> bool:
    return (
        isinstance(block.nonlinearity, nn.SiLU)
        and block.time_embedding_norm != "scale_shift"
        and (block.time_embedding_norm == "default" or block.time_emb_proj is None)
        and _is_norm(block.norm1)
        and _is_norm(block.norm2)
    )


def _is_pair(norm: Any, activation: Any) -> bool:
    return _is_norm(norm) and isinstance(activation, nn.SiLU) and not is_replaced(activation)


def _is_norm(module: Any) -> bool:
    return type(module) is nn.GroupNorm and module.affine and not is_replaced(module)


def apply_norm(norm: Any, x: Tensor, *, silu: bool) -> Tensor:
    """`norm` of x by our op, then SiLU if asked."""
    return group_norm_silu(x, norm.weight, norm.bias, norm.num_groups, norm.eps, silu)


def _norm(self: Any, x: Tensor) -> Any:
    return apply_norm(self, x, silu=False) if enabled(OP) else original(self, x)


def _norm_and_silu(self: Any, x: Tensor) -> Any:
    return original(self, x) if not enabled(OP) or are_parted(self) else apply_norm(self, x, silu=True)


def _nothing(self: Any, x: Tensor) -> Any:
    return original(self, x) if not enabled(OP) or are_parted(self) else x


def _sequence(self: Any, x: Tensor) -> Any:
    if not enabled(OP) or is_foreign(self[0]) or is_foreign(self[1]):
        return original(self, x)
    x = apply_norm(self[0], x, silu=True)
    for index in range(2, len(self)):
        x = self[index](x)
    return x


def _resnet(self: Any, input_tensor: Tensor, temb: Tensor | None, *args: Any, **kwargs: Any) -> Any:
    """`ResnetBlock2D.forward` of diffusers 0.42, for SiLU and a time embedding that is added."""
    along = (self.norm1, self.norm2, self.nonlinearity, self.dropout)  # what is computed without being called
    if not enabled(OP) or any(map(is_foreign, along)):
        return original(self, input_tensor, temb, *args, **kwargs)
    resample = self.upsample if self.upsample is not None else self.downsample
    time = None
    if self.time_emb_proj is not None and temb is not None and self.time_embedding_norm == "default":
        time = self.time_emb_proj(temb if self.skip_time_act else self.nonlinearity(temb))[:, :, None, None]
    if resample is not None:
        hidden = apply_norm(self.norm1, input_tensor, silu=True)
        input_tensor, hidden = resample(input_tensor), resample(hidden)
        hidden = self.conv1(hidden)
    elif _adds_bias_later(self.conv1):
        # The bias is added where the norm reads anyway, with the time embedding, and not in a pass of its own.
        hidden = self.conv1._conv_forward(apply_norm(self.norm1, input_tensor, silu=True), self.conv1.weight, None)
        bias = self.conv1.bias[None, :, None, None]
        time = bias if time is None else time + bias
    else:
        hidden = _normed_conv(self.norm1, self.conv1, input_tensor, None)
    hidden = _normed_conv(self.norm2, self.conv2, hidden, time)  # no dropout: for inference only
    if self.conv_shortcut is not None:
        input_tensor = self.conv_shortcut(input_tensor)
    return (input_tensor + hidden) / self.output_scale_factor


def _adds_bias_later(conv: Any) -> bool:
    return type(conv) is nn.Conv2d and conv.bias is not None and not is_hooked(conv) and not in_fp8(conv)


def _normed_conv(norm: Any, conv: Any, x: Tensor, shift: Tensor | None) -> Tensor:
    """`conv` of SiLU of `norm` of x + shift, which autocast may have left wider than x."""
    shift = None if shift is None else shift.to(x.dtype)
    if in_fp8(conv) and not is_foreign(conv):
        normed = group_norm_silu_fp8(x, shift, norm.weight, norm.bias, norm.num_groups, norm.eps)
        return conv_fp8(normed, conv.weight_fp8, conv.scale_fp8, conv.bias)
    if shift is None:
        hidden = apply_norm(norm, x, silu=True)
    else:
        hidden = shift_group_norm_silu(x, shift, norm.weight, norm.bias, norm.num_groups, norm.eps)
    out: Tensor = conv(hidden)
    return out
