"""GEGLU kernel against plain torch."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from framecast.kernels.geglu.naive import geglu
from framecast.kernels.geglu.op import launch


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", [(3, 5, 154), (1, 2), (7, 2), (2, 3, 1, 1026), (40, 64)], ids=str)
def test_equals_torch(
    shape: tuple[int, ...], dtype: torch.dtype, check: Callable[..., None], exact: Callable[[Any], Any]
) -> None:
    x = (torch.randn(shape) * 3).to(dtype)
    sliced = torch.cat([x, x], dim=-1)[..., 1 : shape[-1] + 1]
    swapped = x.movedim(-1, 0).contiguous().movedim(0, -1)
    for value in (x, sliced, swapped):
        check(launch(value), geglu(value), geglu(exact(value)))


def test_gates_far_out_are_zero_or_one() -> None:
    x = torch.tensor([[2.0, 3.0, -40.0, 40.0]])
    assert torch.equal(launch(x), torch.tensor([[-0.0, 120.0]]))


def test_gelu_is_exact_to_single_precision() -> None:
    """Everywhere, against double precision; what passes for GELU elsewhere, with tanh, is off by 5e-4."""
    gate = torch.linspace(-9, 9, 30001)
    wide = gate.double()
    true = wide * torch.special.ndtr(wide)
    ours = launch(torch.stack([torch.ones_like(gate), gate], dim=-1))[:, 0].double()
    allowed = 5e-8 * wide.abs() + 2.0**-24 * true.abs()
    assert ((ours - true).abs() <= allowed).all()
    below = (wide > -6) & (wide < 0)
    assert ((ours - true).abs() <= 2e-5 * true.abs())[below].all()
    assert ((torch.nn.functional.gelu(wide, approximate="tanh") - true).abs() > allowed).any()


def test_gates_without_end_are_as_in_torch() -> None:
    gates = torch.tensor([torch.nan, torch.inf, -torch.inf, 3e38, -3e38])
    ours = launch(torch.stack([torch.ones(5), gates], dim=-1))[:, 0]
    true = torch.nn.functional.gelu(gates.double()).float()  # in single, some processors' library has NaN at infinity
    torch.testing.assert_close(ours, true, equal_nan=True)
