"""Both halves of classifier-free guidance are alike until the text is heard: what comes before is computed once.

The two halves of the batch have the same latents and the same time; they part at the first cross-attention. Until
there stand the first convolution, whole blocks without attention, a residual block and, in Stable Diffusion, the widest
self-attention of the network. Exact, not an approximation.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from framecast.kernels.patches.forward import unwrap_forward, wrap_forward, wrapped


def share_halves(model: Any) -> int:
    """Makes the modules in front of the first cross-attention compute the first half of the batch and repeat it.

    For whoever calls the model with the same latents and time in both halves, and only for them. Comes after `patch`,
    whose forwards it wraps; twice is once, and `unpatch` undoes both.

    Args:
        model: a UNet2DConditionModel, UNet3DConditionModel or UNetMotionModel.

    Returns:
        The number of modules.
    """
    modules = _before_the_text(model)
    for module in modules:
        wrap_forward(module, _once)
    return len(modules)


@contextmanager
def shared_halves(model: Any) -> Iterator[None]:
    """`share_halves` inside a ``with`` block; afterwards every forward is what it was."""
    share_halves(model)
    try:
        yield
    finally:
        for module in _before_the_text(model):
            unwrap_forward(module)


def _before_the_text(model: Any) -> list[nn.Module]:
    found = [model.conv_in]
    if getattr(model, "transformer_in", None) is not None:  # attends over frames
        found.append(model.transformer_in)
    for block in model.down_blocks:
        if not getattr(block, "attentions", None):
            found.append(block)
            continue
        found.append(block.resnets[0])
        found += list(block.temp_convs[:1]) if hasattr(block, "temp_convs") else []
        transformer = block.attentions[0]
        if not hasattr(transformer, "transformer_blocks"):
            return found
        first = transformer.transformer_blocks[0]
        found += [transformer.norm, transformer.proj_in, first.norm1]
        return found if first.only_cross_attention else [*found, first.attn1]
    return found


def _once(self: Any, *args: Any, **kwargs: Any) -> Any:
    return _twice(wrapped(self, *map(_half, args), **{name: _half(value) for name, value in kwargs.items()}))


def _half(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    return value.reshape(2, value.shape[0] // 2, *value.shape[1:])[0]


def _twice(value: Any) -> Any:
    """Tensors repeated, wherever a block's output has them."""
    if isinstance(value, Tensor):
        return torch.cat([value, value])
    if isinstance(value, tuple | list):
        return type(value)(map(_twice, value))
    if hasattr(value, "sample"):  # a diffusers output
        return type(value)(sample=_twice(value.sample))
    return value
