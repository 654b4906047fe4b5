"""A patch discriminator (Isola et al. 2017, arXiv:1611.07004) and VQGAN's way of weighing it (Esser et al. 2021,
arXiv:2012.09841).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class AdversarialConfig:
    """When and how hard the discriminator speaks."""

    width: int = 32
    start: float = 0.75
    """Share of the training steps after which the adversarial term sets in."""
    weight: float = 0.5
    largest: float = 50.0
    """Upper bound of the adaptive weight; VQGAN's 1e4 lets it explode when reconstruction is nearly perfect."""
    rate: float = 2e-4


class PatchDiscriminator(nn.Module):
    """Judges overlapping patches of folded maps: [B, channels, H, W] → logits [B, 1, H/8, W/8]."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        for scale in (1, 2):
            layers += [
                nn.Conv2d(width * scale, width * scale * 2, 4, 2, 1, bias=False),
                nn.GroupNorm(8, width * scale * 2),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        layers.append(nn.Conv2d(width * 4, 1, 3, 1, 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Higher means "drawn", lower means "decoded"."""
        logits: torch.Tensor = self.layers(maps)
        return logits


def hinge_loss(drawn: torch.Tensor, decoded: torch.Tensor) -> torch.Tensor:
    """The discriminator's loss."""
    return 0.5 * (F.relu(1.0 - drawn).mean() + F.relu(1.0 + decoded).mean())


def adaptive_weight(
    reconstruction: torch.Tensor, adversarial: torch.Tensor, last_layer: torch.Tensor, config: AdversarialConfig
) -> torch.Tensor:
    """VQGAN's λ: the ratio of the two gradients at the decoder's last layer, so that neither drowns the other."""
    (wanted,) = torch.autograd.grad(reconstruction, last_layer, retain_graph=True)
    (forged,) = torch.autograd.grad(adversarial, last_layer, retain_graph=True)
    ratio = wanted.norm() / (forged.norm() + 1e-4)
    weight: torch.Tensor = config.weight * ratio.clamp(0.0, config.largest).detach()
    return weight
