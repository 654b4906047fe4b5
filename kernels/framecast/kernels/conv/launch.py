"""Starts the convolution kernel on tensors [N, C, H, W] in channels-last memory."""

import torch
from torch import Tensor

from framecast.kernels.conv.config import ConvConfig, block_in


def launch(
    x: Tensor,
    weight: Tensor,
    scale: Tensor | None,
    bias: Tensor,
    out: Tensor,
    taps: int,
    first: tuple[int, int],
    config: ConvConfig | None = None,
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
        config: for measuring others than the one that would be chosen.
    """
    from triton.tools.tensor_descriptor import TensorDescriptor

    from framecast.kernels.conv.kernel import conv_kernel

    images, channels, height, width = x.shape
    outputs = weight.shape[0]
    config = config or ConvConfig.choose(height, width, block_in(x.element_size()))
    tile = [config.images, config.rows, config.wide]
    places = -(-images // config.images) * -(-height // config.rows) * -(-width // config.wide)
    programs = min(places * -(-outputs // config.block_out), _multiprocessors(x.device))
    describe = TensorDescriptor.from_tensor
    conv_kernel[(programs,)](
        describe(x.permute(0, 2, 3, 1), [*tile, config.block_in]),
        describe(weight, [config.block_out, config.block_in]),
        scale,
        bias,
        describe(out.permute(0, 2, 3, 1), [*tile, config.block_out]),
        images,
        height,
        width,
        outputs,
        -(-channels // config.block_in),
        *first,
        **config.constants(taps),
        num_warps=config.warps,
        num_stages=config.stages,
    )


def dense(x: Tensor) -> Tensor:
    """x in channels-last memory; copied unless it is there."""
    return x.contiguous(memory_format=torch.channels_last)


def empty(x: Tensor, channels: int, dtype: torch.dtype, enlarged: int = 1) -> Tensor:
    """Uninitialised [N, channels, H · enlarged, W · enlarged] in channels-last memory."""
    images, _, height, width = x.shape
    shape = images, height * enlarged, width * enlarged, channels
    return torch.empty(shape, dtype=dtype, device=x.device).permute(0, 3, 1, 2)


def _multiprocessors(device: torch.device) -> int:
    if device.type != "cuda":
        return 2  # the interpreter: more than one tile a program
    return int(torch.cuda.get_device_properties(device).multi_processor_count)
