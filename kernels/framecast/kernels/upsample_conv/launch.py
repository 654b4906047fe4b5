"""Starts the convolution kernel on tensors [N, C, H, W] in channels-last memory."""

from typing import Any

import torch
from torch import Tensor

from framecast.kernels.checks import on_its_device
from framecast.kernels.upsample_conv.config import ConvConfig, block_in

_ALIGNED = 16  # bytes, as the copy engine's addresses are


@on_its_device
def launch(
    x: Tensor,
    weight: Tensor,
    scale: Tensor | None,
    bias: Tensor,
    out: Tensor,
    taps: int,
    first: tuple[int, int],
) -> None:
    """Writes the convolution of x to `out`.

    Args:
        x: [N, C, H, W], dense channels.
        weight: [O, taps² · c] of the dtype of x, c of `padded`.
        scale: float32 [O], or None for one.
        bias: [O].
        out: [N, O, H, W] in channels-last order, pixels as far apart as one likes.
        taps: 3 or 2, along each axis.
        first: where the first tap reads, in lines and columns from its output.
    """
    from framecast.kernels.upsample_conv.kernel import conv_kernel

    images, _, height, width = x.shape
    outputs = weight.shape[0]
    weight, bias = weight.contiguous(), bias.contiguous()
    scale = None if scale is None else scale.contiguous()
    if x.data_ptr() % _ALIGNED:
        x = x.clone(memory_format=torch.preserve_format)
    programs, shared = _resources(x.device)
    config = ConvConfig.choose(height, width, block_in(x.element_size()), shared)
    tile = [config.images, config.rows, config.wide]
    places = -(-images // config.images) * -(-height // config.rows) * -(-width // config.wide)
    programs = min(places * -(-outputs // config.block_out), programs)
    conv_kernel[(programs,)](
        _described(x.permute(0, 2, 3, 1), [*tile, config.block_in]),
        _described(weight, [config.block_out, config.block_in]),
        scale,
        bias,
        _described(out.permute(0, 2, 3, 1), [*tile, config.block_out]),
        images,
        height,
        width,
        outputs,
        weight.shape[1] // taps**2 // config.block_in,
        *first,
        **config.constants(taps),
        num_warps=config.warps,
        num_stages=config.stages,
    )


def _described(x: Tensor, block: list[int]) -> Any:
    """x for the copy engine, whose strides are multiples of 16 bytes, those of axes with one element too."""
    from triton.tools.tensor_descriptor import TensorDescriptor

    sizes = zip(x.shape, x.stride(), strict=True)
    strides = [x.shape[-1] if size == 1 and axis < x.dim() - 1 else stride for axis, (size, stride) in enumerate(sizes)]
    return TensorDescriptor(x, list(x.shape), strides, block)


def empty(x: Tensor, channels: int, dtype: torch.dtype, enlarged: int = 1) -> Tensor:
    """Uninitialised [N, channels, H · enlarged, W · enlarged] in channels-last memory."""
    images, _, height, width = x.shape
    shape = images, height * enlarged, width * enlarged, channels
    return torch.empty(shape, dtype=dtype, device=x.device).permute(0, 3, 1, 2)


def has_copy_engine(device: torch.device) -> bool:
    """Whether the kernel runs there: on Hopper and later."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (9, 0)


def _resources(device: torch.device) -> tuple[int, int]:
    """Multiprocessors, and bytes of shared memory that a block may have."""
    if device.type != "cuda":
        return 2, 0  # the interpreter: more than one tile a program
    found = torch.cuda.get_device_properties(device)
    return int(found.multi_processor_count), int(getattr(found, "shared_memory_per_block_optin", 0))
