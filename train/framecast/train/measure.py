"""How much an error of the latents counts: by its channel, and by how the pixels jump between latents.

A latent is four frames, so an error that changes from one latent to the next is a pulse six times a second, and at a
segment's beginning a seam. The code is linear, so the jump of pixels between the last frame of one latent and the
first of the next is a product of both errors with one matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from framecast.train.folding import FOLD
from framecast.train.principal import Principal


@dataclass(frozen=True)
class Measure:
    """Weights of errors in latents of deviation 1.

    Attributes:
        weights: how much a channel counts, [C], mean 1: its level, the root of what it does to pixels.
        root: [2 · C, R]; the square of ``cat(earlier, later) @ root`` is the jump between two latents, as large on
            average as the weighted square of two errors that have nothing to do with each other.
    """

    weights: torch.Tensor
    root: torch.Tensor

    @classmethod
    def of(cls, code: Principal) -> Measure:
        """From the linear code."""
        weights = code.levels / code.levels.mean()
        frames = (code.components * (code.deviations / code.levels)).T.reshape(len(weights), FOLD.frames, -1)
        both = torch.cat([-frames[:, -1], frames[:, 0]])
        variances, vectors = torch.linalg.eigh(both @ both.T)
        kept = variances > variances[-1] * 1e-6
        root = vectors[:, kept] * variances[kept].sqrt()
        return cls(weights, root / root.square().sum().sqrt())

    def to(self, device: torch.device) -> Measure:
        """On `device`."""
        return Measure(self.weights.to(device), self.root.to(device))

    def squares(self, errors: torch.Tensor) -> torch.Tensor:
        """Weighted mean square over channels: [B, C, F, h, w] → [B, 1, F, h, w]."""
        return torch.einsum("bcfhw,c->bfhw", errors.square(), self.weights / len(self.weights))[:, None]

    def jumps(self, errors: torch.Tensor) -> torch.Tensor:
        """Square of the jump from each latent to the next: [B, C, F, h, w] → [B, 1, F - 1, h, w]."""
        pairs = torch.cat([errors[:, :, :-1], errors[:, :, 1:]], dim=1)
        return torch.einsum("bcfhw,cr->bfhwr", pairs, self.root).square().sum(dim=-1)[:, None]
