"""Both halves of classifier-free guidance are alike until the text is heard: what comes before is computed once.

The two halves of the batch have the same latents and the same time; they part at the first cross-attention. Until
there stand a convolution, a residual block and the widest self-attention of the network. Exact, not an approximation.
"""

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn


def share_halves(model: Any) -> int:
    """Makes the modules in front of the first cross-attention compute the first half of the batch and repeat it.

    For whoever calls the model with the same latents and time in both halves, and only for them. Comes after `patch`,
    whose forwards it wraps; `unpatch` undoes both.

    Args:
        model: a UNetMotionModel or UNet2DConditionModel whose first block attends.

    Returns:
        The number of modules; 0 where the first block has no attention.
    """
    block = model.down_blocks[0]
    if not getattr(block, "attentions", None):
        return 0
    transformer = block.attentions[0]
    first = transformer.transformer_blocks[0]
    modules = (model.conv_in, block.resnets[0], transformer.norm, transformer.proj_in, first.norm1, first.attn1)
    for module in modules:
        _halve(module)
    return len(modules)


def _halve(module: nn.Module) -> None:
    inner = module.forward

    def forward(self: Any, *args: Any, **kwargs: Any) -> Tensor:
        named = {name: _half(value) for name, value in kwargs.items()}
        out: Tensor = inner(*map(_half, args), **named)
        return torch.cat([out, out])

    module.__dict__["forward"] = MethodType(forward, module)


def _half(value: Any) -> Any:
    return value[: value.shape[0] // 2] if isinstance(value, Tensor) else value
