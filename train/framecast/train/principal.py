"""Starts an AutoencoderKL as the best linear codec of its data, so that training begins with pictures, not with grey.

The principal components of folded patches are the linear code of least squared error, and with the noise of what they
leave out they are the best a linear VAE can do: probabilistic PCA (Tipping & Bishop 1999) is the optimum of its
evidence bound (Lucas et al. 2019, arXiv:1911.02469). From a random start an autoencoder needs hours to find as good a
code. Here its first and last convolutions hold the components, and what lies between begins as the identity: residual
branches end in zeros, x = silu(x) − silu(−x) takes a signal through an activation, and constant channels keep a
normalisation from scaling it.

The code is scaled so that a loud component is still the louder one, by the square root of what it was: diffusion then
draws the coarse before the fine, as in pictures, yet no component drowns in noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers.models.resnet import ResnetBlock2D
from torch import nn

from framecast.train.models import Vae

GROUPS = 8
CONSTANT = 20.0
"""Size of the constants, in deviations of the loudest signal: a normalisation then hardly sees the signals."""
UNIT = 2.0
"""Pixels' deviation along a component that is 1 between the convolutions."""


@dataclass(frozen=True)
class Principal:
    """A linear code of patches.

    Attributes:
        mean: float32 [D].
        components: float32 [D, K], orthonormal, loudest first.
        deviations: float32 [K], of the data along each component.
        noise: float32 [], mean variance along the directions left out.
    """

    mean: torch.Tensor
    components: torch.Tensor
    deviations: torch.Tensor
    noise: torch.Tensor

    @property
    def levels(self) -> torch.Tensor:
        """Deviation of each latent channel: square roots, mean square 1, [K]."""
        roots = self.deviations.sqrt()
        return roots / roots.square().mean().sqrt()

    def encode(self, maps: torch.Tensor) -> torch.Tensor:
        """[N, D, h, w] → mean latents [N, K, h, w]: what the encoder that starts from this code gives."""
        codes = torch.einsum("ndhw,dk->nkhw", maps - self.mean[:, None, None], self.components)
        return codes * (self.levels / self.deviations)[:, None, None]


@torch.no_grad()
def principal(patches: torch.Tensor, count: int) -> Principal:
    """The `count` first components of float32 [N, D]."""
    mean = patches.mean(dim=0)
    centred = patches - mean
    size, length = centred.shape
    # The smaller of the two products has the same positive eigenvalues.
    if size < length:
        variances, weights = torch.linalg.eigh(centred @ centred.T / size)
        vectors = F.normalize(centred.T @ weights, dim=0)
    else:
        variances, vectors = torch.linalg.eigh(centred.T @ centred / size)
    kept = variances[-count:].flip(0).clamp(min=1e-12)
    noise = (centred.square().sum() / size - kept.sum()).clamp(min=1e-12) / (length - count)
    return Principal(mean, vectors[:, -count:].flip(1).contiguous(), kept.sqrt(), noise)


@torch.no_grad()
def start(vae: Vae, code: Principal) -> None:
    """Overwrites initial weights in place.

    Raises:
        ValueError: the network has other than one level, 8 groups, or too few channels to carry the code.
    """
    encoder, decoder = vae.encoder, vae.decoder
    count, width = len(code.deviations), encoder.conv_in.out_channels
    carried = -(-count // GROUPS)
    size = width // GROUPS
    if len(encoder.down_blocks) != 1 or encoder.conv_norm_out.num_groups != GROUPS:
        raise ValueError(f"a linear start needs one level and {GROUPS} groups")
    if 2 * carried + 2 > size:
        raise ValueError(f"{count} latent channels need a width of {(2 * carried + 2) * GROUPS} or more, not {width}")

    # In every group: some components with their negatives, two constants, and free channels. All of them are carried in
    # units of pixels, so that a first clumsy step of training does the loud ones no more harm than the quiet ones.
    places = [(k % GROUPS) * size + 2 * (k // GROUPS) for k in range(count)]
    signals = [channel for place in places for channel in (place, place + 1)]
    constants = [group * size + 2 * carried + i for group in range(GROUPS) for i in (0, 1)]
    loudness = code.deviations / UNIT
    constant = CONSTANT * float(loudness[0])
    # What the normalisation of a group divides by; the rest of its channels hardly counts.
    deviation = constant * (2 / size) ** 0.5
    for module in vae.modules():
        if isinstance(module, ResnetBlock2D):
            _silence(module.conv2)
            for k, place in enumerate(places):
                module.norm1.weight[place : place + 2] = deviation / loudness[k]
            free = sorted(set(range(width)) - {*signals, *constants})
            module.norm1.weight[free] = deviation
            module.norm1.weight[constants] = 0
    for convolution in (encoder.conv_in, decoder.conv_in):
        convolution.weight[constants] = 0
        for i, channel in enumerate(constants):
            convolution.bias[channel] = constant * (1 - 2 * (i % 2))
    for norm in (encoder.conv_norm_out, decoder.conv_norm_out):
        norm.weight.fill_(deviation)
        norm.weight[constants] = 0
    _silence(encoder.conv_out)
    _silence(decoder.conv_out)
    decoder.conv_out.bias.copy_(code.mean)
    # The posterior's variance along a component is the noise's, in the latent's units.
    encoder.conv_out.bias[count:] = (code.noise * (code.levels / code.deviations) ** 2).log()
    for convolution, channels in ((vae.quant_conv, 2 * count), (vae.post_quant_conv, count)):
        _silence(convolution)
        convolution.weight[:, :, 0, 0] = torch.eye(channels)
    for k, place in enumerate(places):
        component, loud, level = code.components[:, k], loudness[k], code.levels[k]
        for sign, channel in ((1.0, place), (-1.0, place + 1)):
            _tap(encoder.conv_in, channel, sign * component / UNIT, -sign * float(code.mean @ component / UNIT))
            encoder.conv_out.weight[k, channel, 1, 1] = sign * level / loud
            _tap(decoder.conv_in, channel, sign * torch.eye(count)[k] * loud / level, 0.0)
            decoder.conv_out.weight[:, channel, 1, 1] = sign * component * UNIT


@torch.no_grad()
def read(vae: Vae) -> Principal:
    """The code that `start` wrote into the encoder of `vae`, which its training leaves alone.

    Of the mean only the part along the components is left, which is all that encoding needs.

    Raises:
        ValueError: the encoder is not such a code.
    """
    encoder, count = vae.encoder, vae.config.latent_channels
    size = encoder.conv_in.out_channels // GROUPS
    places = [(k % GROUPS) * size + 2 * (k // GROUPS) for k in range(count)]
    components = encoder.conv_in.weight[places, :, 1, 1].T * UNIT
    if not torch.allclose(components.T @ components, torch.eye(count), atol=0.01):
        raise ValueError("the VAE's encoder is not a linear code: train one with `framecast train vae`")
    # A latent is (level / deviation) of what is along its component, and levels are roots of deviations with mean
    # square 1: that settles both.
    ratios = encoder.conv_out.weight[range(count), places, 1, 1] / UNIT
    deviations = 1 / (ratios.square() * ratios.square().reciprocal().mean().sqrt())
    noise = (encoder.conv_out.bias[count:].exp() / ratios.square()).mean()
    mean = -components @ encoder.conv_in.bias[places] * UNIT
    return Principal(mean, components.contiguous(), deviations, noise)


def _silence(convolution: nn.Conv2d) -> None:
    convolution.weight.zero_()
    if convolution.bias is not None:
        convolution.bias.zero_()


def _tap(convolution: nn.Conv2d, out: int, weights: torch.Tensor, bias: float) -> None:
    """Makes output `out` a weighted sum of the inputs at the kernel's middle."""
    if convolution.bias is None:
        raise ValueError("a linear start needs convolutions with a bias")
    convolution.weight[out] = 0
    convolution.weight[out, :, 1, 1] = weights
    convolution.bias[out] = bias
