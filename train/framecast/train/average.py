"""Averages of weights over the steps of a run: what ships, for they are better than the last ones."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def blend(average: nn.Module, model: nn.Module, keep: float) -> None:
    """Exponential moving average of the weights, in place."""
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1.0 - keep)
