"""Reference: what `framecast.kernels.guided_step.op` must equal; float32 in, float32 arithmetic."""

import torch
from torch import Tensor


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
    """(a · x + b · guided + c · noise + d · previous, guided), each sample with its own coefficients.

    guided = unconditional + guidance · (conditional − unconditional) (Ho and Salimans 2022). With `rescale` φ it is
    then scaled by φ · std(conditional) / std(guided) + 1 − φ, standard deviations over a whole sample (Lin et al. 2023,
    section 3.4); a guided output without any deviation is left as it is. In the dtype of x.
    """
    shape = (-1,) + (1,) * (x.dim() - 1)
    weight = guidance.to(x.dtype).reshape(shape)
    a, b, c, d = (column.reshape(shape) for column in coefficients.to(x.dtype).unbind(1))
    guided = unconditional + weight * (conditional - unconditional)
    if rescale is not None:
        amount = rescale.to(x.dtype).reshape(shape)
        wanted, found = _variance(conditional), _variance(guided)
        factor = torch.where(found > 0, (wanted / torch.where(found > 0, found, 1)).sqrt(), 1)
        guided = amount * (guided * factor) + (1 - amount) * guided
    out = a * x + b * guided
    if noise is not None:
        out = out + c * noise
    if previous is not None:
        out = out + d * previous
    return out, guided


def _variance(x: Tensor) -> Tensor:
    """Of a whole sample, about its first element: what is the same everywhere has none, however its sum is rounded."""
    axes = tuple(range(1, x.dim()))
    apart = x - x[(slice(None), *(slice(0, 1),) * len(axes))]
    apart = apart - apart.mean(axes, keepdim=True)
    return (apart * apart).mean(axes, keepdim=True)
