"""diffusers' `Upsample2D`: enlarges twice and convolves, in one."""

from typing import Any

from torch import Tensor, nn

from framecast.kernels.patches.convolution import is_plain_3x3
from framecast.kernels.patches.forward import is_hooked, is_replaced, original, replace_forward
from framecast.kernels.patches.kept import is_kept, keep
from framecast.kernels.switches import enabled
from framecast.kernels.upsample_conv.op import pack, upsample_conv

OP = "upsample_conv"
WEIGHT = "weight_upsample"  # buffer of the convolution: see `pack`


def patch_upsamples(model: nn.Module) -> int:
    """Patches every `Upsample2D` that repeats pixels and convolves them 3 × 3; their number."""
    from diffusers.models.upsampling import Upsample2D

    found: list[Any] = [module for module in model.modules() if type(module) is Upsample2D and _is_plain(module)]
    for module in found:
        keep(module.conv, WEIGHT, pack(module.conv.weight.detach()))
        replace_forward(module, _upsample)
    return len(found)


def _is_plain(module: Any) -> bool:
    return (
        not is_replaced(module)
        and module.norm is None
        and module.interpolate
        and is_plain_3x3(getattr(module, "conv", None))
    )


def _upsample(self: Any, hidden_states: Tensor, output_size: Any = None, *args: Any, **kwargs: Any) -> Any:
    conv = self.conv
    known = is_kept(conv, WEIGHT) and conv.weight_upsample.dtype == hidden_states.dtype  # autocast's is another
    if output_size is not None or not enabled(OP) or not known or is_hooked(conv):
        return original(self, hidden_states, output_size, *args, **kwargs)
    return upsample_conv(hidden_states, conv.weight_upsample, conv.bias)
