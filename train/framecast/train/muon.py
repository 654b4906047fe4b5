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


def orthogonalise(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Newton–Schulz: moves every singular value of each of [..., m, n] to about one, without a decomposition."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: torch.Tensor = x.mT if tall else x
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
            alike: dict[torch.Size, list[torch.Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    alike.setdefault(p.flatten(1).shape if group["matrices"] else torch.Size(), []).append(p)
            # Together: a UNet has hundreds of small ones, which one by one are thousands of calls that a GPU waits for.
            for members in alike.values():
                (self._matrices if group["matrices"] else self._plain)(members, group)
        return value

    def _kept(self, members: list[torch.Tensor], name: str) -> list[torch.Tensor]:
        for p in members:
            if name not in self.state[p]:
                self.state[p][name] = torch.zeros_like(p)
        return [self.state[p][name] for p in members]

    def _matrices(self, members: list[torch.Tensor], group: dict[str, Any]) -> None:
        """An update of parameters that are matrices of one shape once they are flattened."""
        gradients, momenta = [_gradient(p) for p in members], self._kept(members, "momentum")
        torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
        wanted = torch._foreach_lerp(gradients, momenta, group["momentum"])
        matrices = torch.stack([w.flatten(1) for w in wanted])
        size = 0.2 * math.sqrt(max(matrices.shape[1:]))
        if group["weight_decay"]:
            torch._foreach_mul_(members, 1 - group["lr"] * group["weight_decay"])
        # The iteration only has to come near one: half precision does.
        updates = orthogonalise(matrices.to(width(matrices.device.type))).to(matrices.dtype)
        steps = [update.view_as(p) for update, p in zip(updates, members, strict=True)]
        torch._foreach_add_(members, steps, alpha=-group["lr"] * size)

    def _plain(self, members: list[torch.Tensor], group: dict[str, Any]) -> None:
        """AdamW's update, without its decay."""
        gradients = [_gradient(p) for p in members]
        means, squares = self._kept(members, "mean"), self._kept(members, "square")
        for p in members:
            self.state[p]["step"] = self.state[p].get("step", 0) + 1
        taken = [self.state[p]["step"] for p in members]
        torch._foreach_lerp_(means, gradients, 0.1)
        torch._foreach_lerp_(squares, torch._foreach_mul(gradients, gradients), 0.01)
        directions = torch._foreach_div(means, [1 - 0.9**count for count in taken])
        scales = torch._foreach_div(squares, [1 - 0.99**count for count in taken])
        torch._foreach_sqrt_(scales)
        torch._foreach_add_(scales, 1e-8)
        torch._foreach_addcdiv_(members, directions, scales, value=-group["lr"] * group["ratio"])


def _gradient(p: torch.Tensor) -> torch.Tensor:
    if p.grad is None:
        raise ValueError("a parameter without a gradient has no update")
    return p.grad
