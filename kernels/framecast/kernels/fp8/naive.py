"""References: what the ops in `framecast.kernels.fp8` must equal."""

import torch
from torch import Tensor
from torch.nn import functional as F

FP8 = torch.float8_e4m3fn
LARGEST = torch.finfo(FP8).max  # 448


def quantise(values: Tensor) -> Tensor:
    """To e4m3, by saturation beyond ±448: torch's own cast makes NaN of what is larger."""
    return values.float().clamp(-LARGEST, LARGEST).to(FP8)


def quantise_rows(values: Tensor) -> tuple[Tensor, Tensor]:
    """Values [..., c] to e4m3 and a scale float32 [..., 1], with which a row's largest value is that of e4m3."""
    scale = values.float().abs().amax(-1, keepdim=True).clamp(min=1e-12) / LARGEST
    return quantise(values.float() / scale), scale


def conv_fp8(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """scale · (x ∗ weight) + bias in float32, rounded to the dtype of the bias.

    Args:
        x: e4m3 [N, C, H, W].
        weight: e4m3 [O, 9 · c], taps outermost, c ≥ C; what is beyond C is not read.
        scale: float32 [O].
        bias: float [O].
    """
    taps = weight.float().reshape(weight.shape[0], 3, 3, -1)[..., : x.shape[1]].permute(0, 3, 1, 2)
    out = F.conv2d(x.float(), taps, padding=1) * scale[:, None, None] + bias.float()[:, None, None]
    return out.to(bias.dtype)


def geglu_fp8(x: Tensor) -> tuple[Tensor, Tensor]:
    """`quantise_rows` of GEGLU of x [..., 2c], in float32 until it is quantised."""
    hidden, gate = x.float().chunk(2, dim=-1)
    return quantise_rows(hidden * F.gelu(gate))
