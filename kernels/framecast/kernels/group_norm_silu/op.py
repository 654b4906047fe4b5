"""``framecast::group_norm_silu`` and its forms that add first; its backward is the reference's."""

import torch
from torch import Tensor
from torch.library import triton_op, wrap_triton

from framecast.kernels.backward import register_backward
from framecast.kernels.checks import (
    on_its_device,
    require,
    require_device,
    require_float,
    require_samples,
    require_shape,
)
from framecast.kernels.group_norm_silu import naive
from framecast.kernels.group_norm_silu.config import MAX_WIDTH, GroupNormConfig
from framecast.kernels.group_norm_silu.kernel import apply_kernel, stats_kernel
from framecast.kernels.layout import channels_last, empty_rows, image_of, rows_of
from framecast.kernels.switches import enabled


def group_norm_silu(
    x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float = 1e-5, silu: bool = True
) -> Tensor:
    """GroupNorm, then SiLU, in two passes over channels-last memory.

    Args:
        x: float [N, C, …], any strides; channels-last memory is read in place, other layouts are copied to it first.
        weight, bias: float [C].
        groups: of channels; divides C.
        eps: added to the variance.
        silu: whether SiLU follows.

    Returns:
        [N, C, …] in the dtype of x and channels-last memory.

    Raises:
        ValueError: an argument of the wrong shape or dtype, named.
    """
    if enabled("group_norm_silu"):
        out: Tensor = _group_norm_silu(x, weight, bias, groups, eps, silu)
        return out
    check(x, weight, bias, groups)
    return naive.group_norm_silu(x, weight, bias, groups, eps, silu)


def add_group_norm_silu(
    x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float = 1e-5, silu: bool = True
) -> tuple[Tensor, Tensor]:
    """`group_norm_silu` of x + residual, and the sum itself, with one read of each.

    `residual` [N, C, …] or anything that broadcasts to x, for example a time embedding [N, C, 1, 1], of the dtype of
    x; the sum is rounded to that dtype before its statistics are taken. Otherwise as `group_norm_silu`.
    """
    if enabled("group_norm_silu"):
        out: tuple[Tensor, Tensor] = _add_group_norm_silu(x, residual, weight, bias, groups, eps, silu)
        return out
    check(x, weight, bias, groups, residual)
    return naive.add_group_norm_silu(x, residual, weight, bias, groups, eps, silu)


def shift_group_norm_silu(
    x: Tensor, shift: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float = 1e-5, silu: bool = True
) -> Tensor:
    """`group_norm_silu` of x + shift, which nobody else needs and is not written.

    `shift` is what every pixel has in common, a time embedding or the bias of the convolution before: [N, C, 1, …] or
    [1, C, 1, …], or anything else that broadcasts to x. Otherwise as `add_group_norm_silu`.
    """
    if enabled("group_norm_silu"):
        out: Tensor = _shift_group_norm_silu(x, shift, weight, bias, groups, eps, silu)
        return out
    check(x, weight, bias, groups, shift, "shift")
    return naive.shift_group_norm_silu(x, shift, weight, bias, groups, eps, silu)


@triton_op("framecast::group_norm_silu", mutates_args=())
def _group_norm_silu(x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool) -> Tensor:
    check(x, weight, bias, groups)
    if x.numel() == 0:
        return image_of(empty_rows(x), x)
    if x.device.type != "cuda":
        return channels_last(naive.group_norm_silu(x, weight, bias, groups, eps, silu))
    return launch(x, None, weight, bias, groups, eps, silu)[0]


@triton_op("framecast::add_group_norm_silu", mutates_args=())
def _add_group_norm_silu(
    x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool
) -> tuple[Tensor, Tensor]:
    check(x, weight, bias, groups, residual)
    if x.numel() == 0:
        return image_of(empty_rows(x), x), image_of(empty_rows(x), x)
    if x.device.type != "cuda":
        out, total = naive.add_group_norm_silu(x, residual, weight, bias, groups, eps, silu)
        return channels_last(out), channels_last(total)
    return launch(x, residual, weight, bias, groups, eps, silu)


def _group_norm_silu_fake(x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool) -> Tensor:
    check(x, weight, bias, groups)
    return image_of(empty_rows(x), x)


_group_norm_silu.register_fake(_group_norm_silu_fake)
register_backward(_group_norm_silu, naive.group_norm_silu)


def _add_group_norm_silu_fake(
    x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool
) -> tuple[Tensor, Tensor]:
    check(x, weight, bias, groups, residual)
    return image_of(empty_rows(x), x), image_of(empty_rows(x), x)


_add_group_norm_silu.register_fake(_add_group_norm_silu_fake)
register_backward(_add_group_norm_silu, naive.add_group_norm_silu)


@triton_op("framecast::shift_group_norm_silu", mutates_args=())
def _shift_group_norm_silu(
    x: Tensor, shift: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool
) -> Tensor:
    check(x, weight, bias, groups, shift, "shift")
    if x.numel() == 0:
        return image_of(empty_rows(x), x)
    if x.device.type != "cuda":
        return channels_last(naive.shift_group_norm_silu(x, shift, weight, bias, groups, eps, silu))
    return launch(x, shift, weight, bias, groups, eps, silu, keep=False)[0]


def _shift_group_norm_silu_fake(
    x: Tensor, shift: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool
) -> Tensor:
    check(x, weight, bias, groups, shift, "shift")
    return image_of(empty_rows(x), x)


_shift_group_norm_silu.register_fake(_shift_group_norm_silu_fake)
register_backward(_shift_group_norm_silu, naive.shift_group_norm_silu)


@on_its_device
def launch(
    x: Tensor,
    residual: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    groups: int,
    eps: float,
    silu: bool,
    config: GroupNormConfig | None = None,
    dtype: torch.dtype | None = None,
    keep: bool = True,
) -> tuple[Tensor, Tensor]:
    """Runs both kernels on checked arguments; the second result is the sum, or x where there is none or none is kept.

    `config` is for measuring others than the one that would be chosen, `dtype` that of the first result if not of x.
    Without `keep` the second kernel adds once more what the first has added.
    """
    rows = rows_of(x)
    samples, length, channels = rows.shape
    require_samples("x", samples)
    added = None if residual is None else rows_of(residual.expand(x.shape))
    strides = (0, 0) if added is None else (added.stride(0), added.stride(1))
    shift = added is not None and added.stride(1) == 0
    total = empty_rows(x) if added is not None and keep else None
    config = config or GroupNormConfig.choose(groups, channels, length)
    blocks = -(-length // config.rows)
    grid = (blocks, config.group_tiles, samples)
    partial = torch.empty((samples, blocks, 2, groups), dtype=torch.float32, device=x.device)
    wrap_triton(stats_kernel)[grid](
        rows,
        added,
        length,
        rows.stride(0),
        rows.stride(1),
        *strides,
        total,
        partial,
        **config.constants(shift),
        num_warps=config.warps,
    )
    out = torch.empty((samples, length, channels), dtype=dtype or x.dtype, device=x.device)
    normed = rows if total is None else total
    again = added if total is None else None
    wrap_triton(apply_kernel)[grid](
        normed,
        again,
        partial,
        weight.contiguous(),
        bias.contiguous(),
        length,
        normed.stride(0),
        normed.stride(1),
        *((0, 0) if again is None else strides),
        out,
        **config.apply_constants(eps, silu, shift and total is None),
        num_warps=config.warps,
    )
    return image_of(out, x), x if total is None else image_of(total, x)


def check(
    x: Tensor, weight: Tensor, bias: Tensor, groups: int, added: Tensor | None = None, name_of_added: str = "residual"
) -> None:
    """Checks the arguments of every form of the op, which all of them document.

    Args:
        x, weight, bias, groups: see `group_norm_silu`.
        added: what is added first, if anything; broadcasts to x and has its dtype.
        name_of_added: as messages call it.

    Raises:
        ValueError: an argument of the wrong shape or dtype, named.
    """
    require(x.dim() >= 2, f"x: shape {tuple(x.shape)} is not [N, C, …].")
    require_float("x", x)
    channels = x.shape[1]
    require(
        groups >= 1 and channels % groups == 0, f"groups: {groups} does not divide {channels} channels; give a divisor."
    )
    require(
        channels // groups <= MAX_WIDTH, f"groups: {channels // groups} channels in a group are more than {MAX_WIDTH}."
    )
    for name, value in (("weight", weight), ("bias", bias)):
        require_float(name, value)
        require_shape(name, value, (channels,))
    require_device("x", x, weight=weight, bias=bias, **{name_of_added: added})
    if added is not None:
        require(added.dtype == x.dtype, f"{name_of_added}: {added.dtype} is not {x.dtype}, the dtype of x.")
        fits = added.dim() <= x.dim() and all(
            theirs in (1, ours) for theirs, ours in zip(reversed(added.shape), reversed(x.shape), strict=False)
        )
        require(fits, f"{name_of_added}: shape {tuple(added.shape)} does not broadcast to {tuple(x.shape)}.")
