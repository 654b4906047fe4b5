"""Muon: momentum whose matrices are orthogonalised, so that weak directions learn as fast as strong ones.

Jordan et al. 2024 (kellerjordan.github.io/posts/muon); the update's size follows Liu et al. 2025 (arXiv:2502.16982).
Plain Adam learns an autoencoder's modes one after the other – brightness, then blue against yellow, then red against
green – with long plateaus in between; here they come together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from framecast.train.precision import width


def orthogonalise(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Newton–Schulz: moves every singular value of [m, n] to about one, without a decomposition."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: torch.Tensor = x.T if tall else x
    return result


class Muon(torch.optim.Optimizer):
    """Muon for matrices and convolutions (flattened to [out, rest]), AdamW for everything else.

    Args:
        parameters: what to train; those in `plain` are left to AdamW whatever their shape (embeddings, last layers).
        lr: Muon's rate; AdamW's is `lr · plain_rate`.
        momentum: of the matrices.
        plain_rate: ratio of AdamW's rate to Muon's.
        plain: parameters that AdamW trains.
        weight_decay: decoupled, for matrices only.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        *,
        momentum: float = 0.95,
        plain_rate: float = 0.2,
        plain: Iterable[nn.Parameter] = (),
        weight_decay: float = 0.0,
    ) -> None:
        kept = {id(p) for p in plain}
        both: tuple[list[nn.Parameter], list[nn.Parameter]] = ([], [])
        for p in parameters:
            both[p.ndim < 2 or id(p) in kept].append(p)
        groups = [
            {"params": members, "matrices": i == 0, "ratio": 1.0 if i == 0 else plain_rate}
            for i, members in enumerate(both)
            if members
        ]
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update; `closure` is not supported by either half and is only called for its value."""
        value = closure() if closure else None
        for group in self.param_groups:
            update = self._matrix if group["matrices"] else self._plain
            for p in group["params"]:
                if p.grad is not None:
                    update(p, group)
        return value

    def _matrix(self, p: nn.Parameter, group: dict[str, Any]) -> None:
        state, gradient = self.state[p], p.grad
        if gradient is None:
            return
        if not state:
            state["momentum"] = torch.zeros_like(p)
        state["momentum"].lerp_(gradient, 1 - group["momentum"])
        wanted = gradient.lerp(state["momentum"], group["momentum"]).flatten(1)
        size = 0.2 * math.sqrt(max(wanted.shape))
        if group["weight_decay"]:
            p.mul_(1 - group["lr"] * group["weight_decay"])
        # The iteration only has to come near one: half precision does.
        p.add_(orthogonalise(wanted.to(width(p.device.type))).view_as(p), alpha=-group["lr"] * size)

    def _plain(self, p: nn.Parameter, group: dict[str, Any]) -> None:
        state, gradient = self.state[p], p.grad
        if gradient is None:
            return
        if not state:
            state.update(step=0, mean=torch.zeros_like(p), square=torch.zeros_like(p))
        state["step"] += 1
        state["mean"].lerp_(gradient, 0.1)
        state["square"].lerp_(gradient.square(), 0.01)
        mean = state["mean"] / (1 - 0.9 ** state["step"])
        square = state["square"] / (1 - 0.99 ** state["step"])
        p.addcdiv_(mean, square.sqrt().add_(1e-8), value=-group["lr"] * group["ratio"])
