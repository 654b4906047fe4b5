"""GroupNorm, with the SiLU after it and the time embedding added before it where there are any."""

from typing import Any

from torch import Tensor, nn

from framecast.kernels.group_norm_silu.op import add_group_norm_silu, group_norm_silu
from framecast.kernels.patches.forward import is_replaced, original, replace_forward
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
    return apply_norm(self, x, silu=True) if enabled(OP) else original(self, x)


def _nothing(self: Any, x: Tensor) -> Any:
    return x if enabled(OP) else original(self, x)


def _sequence(self: Any, x: Tensor) -> Any:
    if not enabled(OP):
        return original(self, x)
    x = apply_norm(self[0], x, silu=True)
    for index in range(2, len(self)):
        x = self[index](x)
    return x


def _resnet(self: Any, input_tensor: Tensor, temb: Tensor | None, *args: Any, **kwargs: Any) -> Any:
    """`ResnetBlock2D.forward` of diffusers 0.42, for SiLU and a time embedding that is added."""
    if not enabled(OP):
        return original(self, input_tensor, temb, *args, **kwargs)
    hidden = apply_norm(self.norm1, input_tensor, silu=True)
    resample = self.upsample if self.upsample is not None else self.downsample
    if resample is not None:
        input_tensor, hidden = resample(input_tensor), resample(hidden)
    hidden = self.conv1(hidden)
    if self.time_emb_proj is not None and temb is not None:
        temb = self.time_emb_proj(temb if self.skip_time_act else self.nonlinearity(temb))[:, :, None, None]
    if temb is None or self.time_embedding_norm != "default":  # a VAE's blocks have no time to add
        hidden = apply_norm(self.norm2, hidden, silu=True)
    else:
        norm = self.norm2
        hidden, _ = add_group_norm_silu(hidden, temb, norm.weight, norm.bias, norm.num_groups, norm.eps)
    hidden = self.conv2(self.dropout(hidden))
    if self.conv_shortcut is not None:
        input_tensor = self.conv_shortcut(input_tensor)
    return (input_tensor + hidden) / self.output_scale_factor
