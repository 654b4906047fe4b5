"""Starts an AutoencoderKL as a passer-on of mean colours, so that training begins with blurred colour, not with grey.

From a random start an autoencoder learns its modes one after the other, and chroma waits a thousand steps behind
brightness. Here three channels of every layer carry the mean red, green and blue through to the picture unchanged:
residual branches begin at zero, and x = silu(x) − silu(−x) takes a signal through the two activations on the way.
"""

from __future__ import annotations

import torch
from diffusers.models.resnet import ResnetBlock2D
from torch import nn

from framecast.train.models import Vae

COLOURS = 3


@torch.no_grad()
def pass_colours(vae: Vae, quiet: float) -> None:
    """Overwrites initial weights in place; `quiet` is the initial log-variance of the latents' noise.

    Raises:
        ValueError: the network is too narrow to carry the colours through its normalisations.
    """
    encoder, decoder = vae.encoder, vae.decoder
    per_group = decoder.conv_norm_out.num_channels // decoder.conv_norm_out.num_groups
    if encoder.conv_norm_out.num_channels < 8 or per_group != 4 or decoder.conv_norm_out.num_groups < COLOURS:
        raise ValueError("colours need 8 channels before the latents and 3 groups of 4 before the picture")
    for module in vae.modules():
        if isinstance(module, ResnetBlock2D):
            nn.init.zeros_(module.conv2.weight)
            if module.conv2.bias is not None:
                nn.init.zeros_(module.conv2.bias)
            if module.conv_shortcut is not None:
                for colour in range(COLOURS):
                    _tap(module.conv_shortcut, colour, [(colour, 1.0)])

    # Encoder: the mean over frames and sub-pixels, then over 2×2 cells at each level.
    inputs = encoder.conv_in.in_channels
    block = inputs // _frames(inputs)
    for colour in range(COLOURS):
        members = [i for i in range(inputs) if i % block // (block // COLOURS) == colour]
        _tap(encoder.conv_in, colour, [(i, 1.0 / len(members)) for i in members])
        for level in encoder.down_blocks:
            for sampler in level.downsamplers or ():
                _clear(sampler.conv, colour)
                sampler.conv.weight[colour, colour, :2, :2] = 0.25
    # Before the last activation each colour needs its negative, and constants that keep its size through the norm.
    last = encoder.down_blocks[-1].resnets[0].conv_shortcut
    for colour in range(COLOURS):
        if last is not None:
            _tap(last, COLOURS + colour, [(colour, -1.0)])
            for channel, sign in ((6, 1.0), (7, -1.0)):
                _clear(last, channel)
                last.bias[channel] = sign
        _tap(encoder.conv_out, colour, [(colour, 1.0), (COLOURS + colour, -1.0)])
        _tap(vae.quant_conv, colour, [(colour, 1.0)])
        _tap(vae.post_quant_conv, colour, [(colour, 1.0)])
        _tap(decoder.conv_in, colour, [(colour, 1.0)])
    latents = vae.quant_conv.out_channels // 2
    vae.quant_conv.weight[latents:].zero_()
    vae.quant_conv.bias[latents:].fill_(quiet)

    # Decoder: straight up; at the last upsampling a group of four for each colour: itself, its negative, ± a constant.
    samplers = [s for level in decoder.up_blocks for s in level.upsamplers or ()]
    for colour in range(COLOURS):
        for sampler in samplers[:-1]:
            _tap(sampler.conv, colour, [(colour, 1.0)])
    for colour in range(COLOURS):
        _tap(samplers[-1].conv, 4 * colour, [(colour, 1.0)])
        _tap(samplers[-1].conv, 4 * colour + 1, [(colour, -1.0)])
        for offset, sign in ((2, 0.7), (3, -0.7)):
            _clear(samplers[-1].conv, 4 * colour + offset)
            samplers[-1].conv.bias[4 * colour + offset] = sign
    decoder.conv_out.weight.mul_(0.3)
    for channel in range(inputs):
        colour = channel % block // (block // COLOURS)
        decoder.conv_out.weight[channel, : 4 * COLOURS] = 0
        decoder.conv_out.weight[channel, 4 * colour, 1, 1] = 0.5
        decoder.conv_out.weight[channel, 4 * colour + 1, 1, 1] = -0.5


def _frames(channels: int) -> int:
    """Frames of a folded map: 12 channels each (3 colours × 2 × 2)."""
    return channels // 12


def _clear(convolution: nn.Conv2d, out: int) -> None:
    convolution.weight[out] = 0
    if convolution.bias is not None:
        convolution.bias[out] = 0


def _tap(convolution: nn.Conv2d, out: int, inputs: list[tuple[int, float]]) -> None:
    """Makes output `out` a weighted sum of inputs at the kernel's middle."""
    _clear(convolution, out)
    middle = convolution.kernel_size[0] // 2
    for channel, weight in inputs:
        convolution.weight[out, channel, middle, middle] = weight
