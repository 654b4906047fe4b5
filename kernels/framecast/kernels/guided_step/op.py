"""``framecast::guided_step``; its backward is the reference's."""

import torch
from torch import Tensor
from torch.library import triton_op, wrap_triton

from framecast.kernels.backward import register_backward
from framecast.kernels.checks import (
    on_its_device,
    require,
    require_device,
    require_float,
    require_like,
    require_samples,
    require_shape,
)
from framecast.kernels.guided_step import naive
from framecast.kernels.guided_step.config import MOMENTS_BLOCK, step_constants
from framecast.kernels.guided_step.kernel import moments_kernel, step_kernel
from framecast.kernels.layout import flat_samples
from framecast.kernels.switches import enabled


def guided_step(
    x: Tensor,
    unconditional: Tensor,
    conditional: Tensor,
    guidance: Tensor,
    coefficients: Tensor,
    noise: Tensor | None = None,
    previous: Tensor | None = None,
    rescale: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Guidance and sampler update of B samples, each at its own step, in one launch (two with `rescale`).

    next = a · x + b · guided (+ c · noise) (+ d · previous), guided = unconditional + guidance · (conditional −
    unconditional), rescaled towards the deviation of the conditional output by `rescale` if given.

    Args:
        x: float [B, …], the latents; any strides (copied unless a sample is dense).
        unconditional, conditional: as x, for example the halves of one UNet output.
        guidance: float32 [B].
        coefficients: float32 [B, 4], (a, b, c, d); c and d are not used without their tensors.
        noise, previous: as x; `previous` is the guided output of the step before.
        rescale: float32 [B], φ of Lin et al. 2023, 0 … 1.

    Returns:
        (next, guided), dense, as x.

    Raises:
        ValueError: an argument of the wrong shape or dtype, named.
    """
    arguments = (x, unconditional, conditional, guidance, coefficients, noise, previous, rescale)
    if enabled("guided_step"):
        out: tuple[Tensor, Tensor] = _guided_step(*arguments)
        return out
    _check(*arguments)
    return naive.guided_step(*arguments)


@triton_op("framecast::guided_step", mutates_args=())
def _guided_step(
    x: Tensor,
    unconditional: Tensor,
    conditional: Tensor,
    guidance: Tensor,
    coefficients: Tensor,
    noise: Tensor | None,
    previous: Tensor | None,
    rescale: Tensor | None,
) -> tuple[Tensor, Tensor]:
    arguments = (x, unconditional, conditional, guidance, coefficients, noise, previous, rescale)
    _check(*arguments)
    if x.numel() == 0:
        return _empty(x), _empty(x)
    if x.device.type != "cuda":
        following, guided = naive.guided_step(*arguments)
        return following.contiguous(), guided.contiguous()
    return launch(*arguments)


def _guided_step_fake(
    x: Tensor,
    unconditional: Tensor,
    conditional: Tensor,
    guidance: Tensor,
    coefficients: Tensor,
    noise: Tensor | None,
    previous: Tensor | None,
    rescale: Tensor | None,
) -> tuple[Tensor, Tensor]:
    _check(x, unconditional, conditional, guidance, coefficients, noise, previous, rescale)
    return _empty(x), _empty(x)


_guided_step.register_fake(_guided_step_fake)
register_backward(_guided_step, naive.guided_step)


@on_its_device
def launch(
    x: Tensor,
    unconditional: Tensor,
    conditional: Tensor,
    guidance: Tensor,
    coefficients: Tensor,
    noise: Tensor | None,
    previous: Tensor | None,
    rescale: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Runs the kernels on checked arguments."""
    out, guided = _empty(x), _empty(x)
    x, unconditional, conditional = (flat_samples(value) for value in (x, unconditional, conditional))
    noise, previous = (None if value is None else flat_samples(value) for value in (noise, previous))
    guidance, coefficients = guidance.contiguous(), coefficients.contiguous()
    samples, length = x.shape
    require_samples("x", samples)
    partial = None
    if rescale is not None:
        rescale = rescale.contiguous()
        blocks = -(-length // MOMENTS_BLOCK)
        partial = torch.empty((samples, blocks, 4), dtype=torch.float32, device=x.device)
        wrap_triton(moments_kernel)[(blocks, samples)](
            unconditional,
            conditional,
            guidance,
            length,
            unconditional.stride(0),
            conditional.stride(0),
            partial,
            BLOCK=MOMENTS_BLOCK,
            num_warps=8,
        )
    fixed = step_constants(rescale=rescale is not None)
    wrap_triton(step_kernel)[(-(-length // fixed["BLOCK"]), samples)](
        x,
        unconditional,
        conditional,
        guidance,
        coefficients,
        noise,
        previous,
        rescale,
        partial,
        length,
        x.stride(0),
        unconditional.stride(0),
        conditional.stride(0),
        0 if noise is None else noise.stride(0),
        0 if previous is None else previous.stride(0),
        out,
        guided,
        **fixed,
        num_warps=4 if rescale is None else 8,
    )
    return out, guided


def _empty(x: Tensor) -> Tensor:
    return torch.empty(x.shape, dtype=x.dtype, device=x.device)


def _check(
    x: Tensor,
    unconditional: Tensor,
    conditional: Tensor,
    guidance: Tensor,
    coefficients: Tensor,
    noise: Tensor | None,
    previous: Tensor | None,
    rescale: Tensor | None,
) -> None:
    require(x.dim() >= 2, f"x: shape {tuple(x.shape)} is not [B, …].")
    require_float("x", x)
    likes = {"unconditional": unconditional, "conditional": conditional, "noise": noise, "previous": previous}
    for name, value in likes.items():
        if value is not None:
            require_like(name, value, "x", x)
    count = x.shape[0]
    shapes = {"guidance": (guidance, (count,)), "coefficients": (coefficients, (count, 4))}
    if rescale is not None:
        shapes["rescale"] = (rescale, (count,))
    for name, (value, shape) in shapes.items():
        require_shape(name, value, shape)
        require(value.dtype == torch.float32, f"{name}: {value.dtype} is not float32.")
    require_device("x", x, guidance=guidance, coefficients=coefficients, rescale=rescale)
