"""Muon against its formulas written out for one parameter at a time, and against a singular value decomposition."""

import copy
import math

import pytest
import torch
from torch import nn

from framecast.train.muon import Muon, orthogonalise
from framecast.train.precision import width


def _parameters() -> list[nn.Parameter]:
    """Matrices and convolutions of which some have one shape once they are flattened, vectors, and a table."""
    torch.manual_seed(0)
    shapes = ((8, 12), (8, 4, 3), (12, 8), (8, 12), (6, 2, 3, 3), (5,), (12,), (9, 4))
    return [nn.Parameter(torch.randn(shape)) for shape in shapes]


@pytest.mark.parametrize("shape", [(16, 16), (5, 24), (24, 5), (3, 4, 12, 8)])
def test_singular_values_come_near_one_and_vectors_stay(shape: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    matrices = torch.randn(shape)
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    found = left.mT @ orthogonalise(matrices) @ right.mT
    values = torch.diagonal(found, dim1=-2, dim2=-1)
    assert float(values.min()) > 0.6
    assert float(values.max()) < 1.3, "the quintic of the source leaves them between 0.7 and 1.2"
    torch.testing.assert_close(found, torch.diag_embed(values), atol=1e-4, rtol=0.0)


def test_updates_are_those_of_one_parameter_at_a_time() -> None:
    """Three steps; one parameter has no gradient in the second, as layers across time have none while images train."""
    rate, decay, plain_rate = 0.02, 0.1, 0.5
    together, alone = _parameters(), [p.detach().clone() for p in _parameters()]
    optimizer = Muon(together, rate, weight_decay=decay, plain_rate=plain_rate, plain=[together[-1]])
    kept: list[dict[str, torch.Tensor]] = [{} for _ in alone]
    counts = [0] * len(alone)
    for step in range(3):
        gradients = [torch.randn_like(p) for p in alone]
        for index, (p, gradient) in enumerate(zip(together, gradients, strict=True)):
            p.grad = None if (step, index) == (1, 1) else gradient
        optimizer.step()
        for index, (own, gradient) in enumerate(zip(alone, gradients, strict=True)):
            if (step, index) == (1, 1):
                continue
            state = kept[index]
            if own.dim() > 1 and index < len(alone) - 1:
                momentum = state["m"] = 0.95 * state.get("m", torch.zeros_like(own)) + 0.05 * gradient
                wanted = (0.05 * gradient + 0.95 * momentum).flatten(1)
                own *= 1 - rate * decay
                update = orthogonalise(wanted.to(width())).float().view_as(own)
                own -= rate * 0.2 * math.sqrt(max(wanted.shape)) * update
            else:
                counts[index] += 1
                mean = state["mean"] = 0.9 * state.get("mean", torch.zeros_like(own)) + 0.1 * gradient
                square = state["square"] = 0.99 * state.get("square", torch.zeros_like(own)) + 0.01 * gradient**2
                mean, square = mean / (1 - 0.9 ** counts[index]), square / (1 - 0.99 ** counts[index])
                own -= rate * plain_rate * mean / (square.sqrt() + 1e-8)
    for mine, reference in zip(together, alone, strict=True):
        torch.testing.assert_close(mine.detach(), reference, atol=2e-3 if width() is torch.bfloat16 else 1e-5, rtol=0.0)


def test_its_state_goes_on() -> None:
    """A copy that is given the state and the weights takes the same next step."""
    one, other = _parameters(), _parameters()
    first, second = Muon(one, 0.01), Muon(other, 0.01)
    for optimizer, parameters in ((first, one), (second, other)):
        torch.manual_seed(5)
        for _ in range(2 if optimizer is first else 0):
            for p in parameters:
                p.grad = torch.randn_like(p)
            optimizer.step()
    second.load_state_dict(copy.deepcopy(first.state_dict()))  # torch takes tensors over as they are
    for p, q in zip(one, other, strict=True):
        q.data.copy_(p.data)
        p.grad = torch.randn_like(p)
        q.grad = p.grad.clone()
    first.step()
    second.step()
    for p, q in zip(one, other, strict=True):
        torch.testing.assert_close(p, q, atol=0.0, rtol=0.0)
