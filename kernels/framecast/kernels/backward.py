"""Gradients of ops by their references, worked out anew: the kernels keep nothing for a backward.

Without any, torch.compile refuses what requires a gradient, a model's parameters above all, though nobody asks for one.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def register_backward(op: Any, reference: Callable[..., Tensor | tuple[Tensor, ...]]) -> None:
    """Gives `op`, of `torch.library`, the gradients of `reference`, which takes the same arguments by place.

    Of the first order: torch refuses to differentiate them again.
    """

    def keep(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(*(value for value in inputs if isinstance(value, Tensor)))
        ctx.others = tuple(None if isinstance(value, Tensor) else (value,) for value in inputs)

    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        saved = iter(ctx.saved_tensors)
        with torch.enable_grad():
            inputs = [
                next(saved).detach().requires_grad_(needed) if other is None else other[0]
                for other, needed in zip(ctx.others, ctx.needs_input_grad, strict=True)
            ]
            made = reference(*inputs)
        pairs = zip(made if isinstance(made, tuple) else (made,), gradients, strict=True)
        asked = [(result, gradient) for result, gradient in pairs if gradient is not None and result.requires_grad]
        if not asked:  # of nothing at all: an empty batch
            return tuple(torch.zeros_like(value) if isinstance(value, Tensor) else None for value in inputs)
        wanted = [value for value, needed in zip(inputs, ctx.needs_input_grad, strict=True) if needed]
        results, gradients = zip(*asked, strict=True)
        found = iter(torch.autograd.grad(results, wanted, gradients, allow_unused=True))
        return tuple(next(found) if needed else None for needed in ctx.needs_input_grad)

    op.register_autograd(once_differentiable(backward), setup_context=keep)
