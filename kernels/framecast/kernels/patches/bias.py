"""Biases that a compiler adds where it adds anyway, and not inside the product.

On an H200 cuBLAS takes 102 µs for 131072 × 320 · 320 × 320 in bfloat16 with a bias and 52 without one (docs/log.md):
with one it has no kernel of the best shape. What follows a projection back into the residual stream is an addition, and
there a bias costs nothing. Only for a model that is compiled: in eager mode the bias becomes a pass of its own.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from framecast.kernels.patches.forward import is_replaced, replace_forward


def loosen_biases(model: nn.Module) -> int:
    """Makes the linear layers whose output is added to a residual add their bias after the product; their number.

    Comes after `patch_fp8`, whose layers are left alone.
    """
    from diffusers.models.attention import BasicTransformerBlock
    from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D

    count = 0
    for module in model.modules():
        part: Any = module
        if type(module) is BasicTransformerBlock:
            layers = [part.attn1.to_out[0], *([part.attn2.to_out[0]] if part.attn2 is not None else [])]
            if not is_replaced(part.ff):
                layers.append(part.ff.net[2])
        elif type(module) is AnimateDiffTransformer3D:
            layers = [part.proj_in, part.proj_out]
        else:
            continue
        count += sum(map(_loosen, layers))
    return count


def _loosen(layer: Any) -> bool:
    if type(layer) is not nn.Linear or layer.bias is None or is_replaced(layer):
        return False
    replace_forward(layer, _product_then_bias)
    return True


def _product_then_bias(self: Any, input: Tensor) -> Tensor:
    """The argument is called as in `nn.Linear`: diffusers names it."""
    # Of an input with more than two axes the product is a view, which keeps a compiler from joining the two again.
    out: Tensor = F.linear(input, self.weight) + self.bias
    return out
