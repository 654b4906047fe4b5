"""Every op at a shape of `framecast.kernels.shapes`: inputs, ours, plain torch, the fp32 reference, other tilings."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from framecast.kernels.geglu import naive as geglu_naive
from framecast.kernels.geglu.op import geglu
from framecast.kernels.group_norm_silu import naive as norm_naive
from framecast.kernels.group_norm_silu import op as norm_op
from framecast.kernels.group_norm_silu.config import GroupNormConfig
from framecast.kernels.guided_step import naive as step_naive
from framecast.kernels.guided_step.op import guided_step
from framecast.kernels.shapes import Shape
from framecast.kernels.temporal_attention import naive as attention_naive
from framecast.kernels.temporal_attention import op as attention_op
from framecast.kernels.upsample_conv import naive as upsample_naive
from framecast.kernels.upsample_conv import op as upsample_op
from framecast.kernels.yuv420 import naive as yuv_naive
from framecast.kernels.yuv420 import op as yuv_op

Outputs = tuple[Tensor, ...]


@dataclass(frozen=True)
class Case:
    """One op on inputs that stay where they are.

    Attributes:
        shape: see `Shape`.
        ours: by our operator.
        plain: by torch, on the layout that torch likes best.
        reference: by torch in float32, or for bytes the values before they are rounded.
        candidates: names of other tilings and calls with them.
    """

    shape: Shape
    ours: Callable[[], Outputs]
    plain: Callable[[], Outputs]
    reference: Callable[[], Outputs]
    candidates: tuple[tuple[str, Callable[[], Outputs]], ...] = ()

    def wrong(self, call: Callable[[], Outputs], *, torch_rounds: bool = False) -> str:
        """Why the result of `call` is wrong; empty where it is right.

        The largest error may be twice that of plain torch in the same dtype (FlashAttention's rule), and four float32
        roundings of the largest value more. Bytes may be half a step off, or with `torch_rounds` what plain torch is.
        """
        theirs = self.plain()
        for name, ours, plain, true in zip("abcd", call(), theirs, self.reference(), strict=False):
            if ours.shape != true.shape:
                return f"output {name} has shape {tuple(ours.shape)}, not {tuple(true.shape)}"
            if not torch.isfinite(ours).all():
                return f"output {name} is not finite"
            error, largest = _distance(ours, true), float(true.abs().max())
            allowed = 2 * _distance(plain, true) + 4 * 1.2e-7 * largest
            if ours.dtype is torch.uint8:
                allowed = max(0.502, allowed) if torch_rounds else 0.502
            if error > allowed:
                return f"output {name} is off by {error:.3g}, allowed is {allowed:.3g}"
        return ""


def _distance(a: Tensor, b: Tensor) -> float:
    return float((a.float() - b.float()).abs().max())


def cases(shape: Shape, device: torch.device, dtype: torch.dtype, seed: int = 1) -> Iterator[Case]:
    """The case of `shape` on random numbers; of yuv420 also one in the layout that a channels-last VAE leaves."""
    make = torch.Generator(device).manual_seed(seed)

    def random(*size: int, kind: torch.dtype = dtype) -> Tensor:
        return torch.randn(size, generator=make, device=device, dtype=torch.float32).to(kind)

    yield from _BUILDERS[shape.op](shape, random)


def _norm(shape: Shape, random: Callable[..., Tensor]) -> Iterator[Case]:
    sizes, silu = shape.sizes, "silu" in shape.options
    channels, groups = sizes["channels"], sizes["groups"]
    x = random(sizes["samples"], sizes["length"], channels).movedim(-1, 1)  # channels last
    plain_x = x.contiguous()  # aten's group norm is faster there
    weight, bias = random(channels), random(channels)
    shift = random(sizes["samples"], channels, 1) if "shift" in shape.options else None

    def plain(x: Tensor) -> Outputs:  # naive casts weight and bias to the dtype of x
        if shift is None:
            return (norm_naive.group_norm_silu(x, weight, bias, groups, 1e-5, silu),)
        return norm_naive.add_group_norm_silu(x, shift.to(x.dtype), weight, bias, groups, 1e-5, silu)[:1]

    def ours(config: GroupNormConfig | None = None) -> Outputs:
        if config is not None:
            return norm_op.launch(x, shift, weight, bias, groups, 1e-5, silu, config, keep=False)[:1]
        if shift is None:
            return (norm_op.group_norm_silu(x, weight, bias, groups, 1e-5, silu),)
        return (norm_op.shift_group_norm_silu(x, shift, weight, bias, groups, 1e-5, silu),)

    chosen = GroupNormConfig.choose(groups, channels, sizes["length"])
    others = [
        {"rows": chosen.rows * 2},
        {"rows": max(32, chosen.rows // 2)},
        {"rows": max(32, chosen.rows // 4)},
        {"tile": 1024},
        {"tile": 2048},
        {"tile": 8192, "warps": 8},
        {"stages": 1},
        {"stages": 2},
        {"stages": 4},
        {"channels": 64},
        {"channels": 256},
    ]
    found = tuple((_name(change), partial(ours, replace(chosen, **change))) for change in others)
    yield Case(shape, ours, lambda: plain(plain_x), lambda: plain(plain_x.float()), _on_gpu(x, found))


def _attention(shape: Shape, random: Callable[..., Tensor]) -> Iterator[Case]:
    sizes = shape.sizes
    frames, heads, width = sizes["frames"], sizes["heads"], sizes["width"]
    q, k, v = (random(sizes["images"], sizes["pixels"], heads * width) for _ in range(3))
    position = random(3, frames, heads * width) if "position" in shape.options else None
    scale = width**-0.5

    def plain(q: Tensor, k: Tensor, v: Tensor) -> Outputs:
        return (attention_naive.temporal_attention(q, k, v, frames, heads, scale, position),)

    def ours() -> Outputs:
        return (attention_op.temporal_attention(q, k, v, frames, heads, scale, position),)

    def other(pixels: int, num_warps: int) -> Outputs:
        return (attention_op.launch(q, k, v, frames, heads, scale, position, pixels, num_warps),)

    others = [{"pixels": p, "num_warps": w} for p in (1, 2, 4) for w in (1, 2, 4)]
    found = tuple((_name(change), partial(other, **change)) for change in others)
    yield Case(
        shape,
        ours,
        lambda: plain(q, k, v),
        lambda: plain(q.float(), k.float(), v.float()),
        _on_gpu(q, found),
    )


def _geglu(shape: Shape, random: Callable[..., Tensor]) -> Iterator[Case]:
    x = random(shape.sizes["rows"], 2 * shape.sizes["width"])
    yield Case(shape, lambda: (geglu(x),), lambda: (geglu_naive.geglu(x),), lambda: (geglu_naive.geglu(x.float()),))


def _upsample(shape: Shape, random: Callable[..., Tensor]) -> Iterator[Case]:
    sizes = shape.sizes
    x = random(sizes["images"], sizes["height"], sizes["width"], sizes["channels"]).movedim(-1, 1)  # channels last
    weight = random(sizes["outputs"], sizes["channels"], 3, 3) / (9 * sizes["channels"]) ** 0.5
    weight, bias = weight.contiguous(memory_format=torch.channels_last), random(sizes["outputs"])
    packed = upsample_op.pack(weight)

    def plain(x: Tensor) -> Outputs:
        return (upsample_naive.upsample_conv(x, weight.to(x.dtype), bias.to(x.dtype)),)

    yield Case(shape, lambda: (upsample_op.upsample_conv(x, packed, bias),), lambda: plain(x), lambda: plain(x.float()))


def _step(shape: Shape, random: Callable[..., Tensor]) -> Iterator[Case]:
    count, length = shape.sizes["samples"], shape.sizes["elements"]
    x, low, high = (random(count, length) for _ in range(3))
    guidance = random(count, kind=torch.float32).abs() * 7
    coefficients = random(count, 4, kind=torch.float32)
    yield Case(
        shape,
        lambda: guided_step(x, low, high, guidance, coefficients),
        lambda: step_naive.guided_step(x, low, high, guidance, coefficients),
        lambda: step_naive.guided_step(x.float(), low.float(), high.float(), guidance, coefficients),
    )


def _planes(shape: Shape, random: Callable[..., Tensor]) -> Iterator[Case]:
    sizes = shape.sizes
    planar = random(sizes["frames"], 3, sizes["height"], sizes["width"])
    for name, x in (("", planar), ("channels last", planar.movedim(1, -1).contiguous().movedim(-1, 1))):
        options = (name,) if name else ()
        others: list[dict[str, Any]] = [
            {"block": block, "num_warps": w}
            for block in ((2, 256), (4, 128), (8, 128), (8, 64), (16, 64))
            for w in (1, 2, 4)
        ]
        found = tuple((_name(change), partial(yuv_op.launch, x, **change)) for change in others)
        yield Case(
            replace(shape, options=options),
            partial(yuv_op.yuv420, x),
            lambda: yuv_naive.yuv420(planar),
            lambda: yuv_naive.planes(planar.float()),
            _on_gpu(x, found),
        )


_BUILDERS: dict[str, Callable[[Shape, Callable[..., Tensor]], Iterator[Case]]] = {
    "group_norm_silu": _norm,
    "temporal_attention": _attention,
    "geglu": _geglu,
    "upsample_conv": _upsample,
    "guided_step": _step,
    "yuv420": _planes,
}


def _name(change: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in change.items())


def _on_gpu(x: Tensor, candidates: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, Any], ...]:
    """Tilings are the kernel's; on a CPU there is none."""
    return candidates if x.is_cuda else ()


def shrunk(shape: Shape, most: int = 4) -> Shape:
    """The same call with every free dimension at most `most` (groups, heads and frames keep what they must divide)."""
    sizes = dict(shape.sizes)
    for name in ("samples", "length", "pixels", "rows", "elements", "width", "height"):
        if name in sizes:
            sizes[name] = min(sizes[name], most)
    if "groups" in sizes:
        sizes["channels"] = 2 * sizes["groups"]
    elif "outputs" in sizes:
        sizes |= {"images": 1, "channels": 16, "outputs": 16}
    if "heads" in sizes:
        sizes["images"], sizes["heads"] = sizes["frames"], 2
    elif "frames" in sizes:
        sizes["frames"] = 1
    share = math.prod(sizes.values()) / math.prod(shape.sizes.values())
    scaled: dict[str, Any] = {
        name: max(1, int(getattr(shape, name) * share)) for name in ("floor_bytes", "kernel_bytes", "flops")
    }
    return replace(shape, sizes=sizes, **scaled)
