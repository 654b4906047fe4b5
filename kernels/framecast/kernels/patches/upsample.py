"""diffusers' `Upsample2D`: enlarges twice and convolves, in one."""

from typing import Any

from torch import Tensor, nn

from framecast.kernels.patches.forward import is_hooked, is_replaced, original, replace_forward
from framecast.kernels.switches import enabled
from framecast.kernels.upsample_conv.op import pack, upsample_conv

OP = "upsample_conv"
WEIGHT = "weight_upsample"  # buffer of the convolution: see `pack`


def patch_upsamples(model: nn.Module) -> int:
    """Patches every `Upsample2D` that repeats pixels and convolves them 3 × 3; their number."""
    from diffusers.models.upsampling import Upsample2D

    found: list[Any] = [module for module in model.modules() if type(module) is Upsample2D and _is_plain(module)]
    for module in found:
        module.conv.register_buffer(WEIGHT, pack(module.conv.weight.detach()), persistent=False)
        replace_forward(module, _upsample)
    return len(found)


def forget_upsample(module: nn.Module) -> None:
    """Drops what `patch_upsamples` keeps in a convolution."""
    if WEIGHT in module._buffers:
        delattr(module, WEIGHT)


def _is_plain(module: Any) -> bool:
    conv = getattr(module, "conv", None)
    return (
        not is_replaced(module)
        and module.norm is None
        and module.interpolate
        and type(conv) is nn.Conv2d
        and conv.kernel_size == (3, 3)
        and conv.stride == conv.padding == conv.dilation == (1, 1)
        and conv.groups == 1
        and conv.padding_mode == "zeros"
        and conv.bias is not None
    )


def _upsample(self: Any, hidden_states: Tensor, output_size: Any = None, *args: Any, **kwargs: Any) -> Any:
    conv = self.conv
    known = WEIGHT in conv._buffers and conv.weight_upsample.dtype == hidden_states.dtype  # autocast's is another
    if output_size is not None or not enabled(OP) or not known or is_hooked(conv):
        return original(self, hidden_states, output_size, *args, **kwargs)
    return upsample_conv(hidden_states, conv.weight_upsample, conv.bias)
