"""Guidance and sampler kernels against plain torch."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch

from framecast.kernels.guided_step.naive import guided_step
from framecast.kernels.guided_step.op import launch

SHAPES = ((3, 5, 7, 11), (1, 1), (2, 9001), (4, 2, 4, 3, 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_torch(
    shape: tuple[int, ...], dtype: torch.dtype, check: Callable[..., None], exact: Callable[[Any], Any]
) -> None:
    count = shape[0]
    x, noise, previous = (torch.randn(shape).to(dtype) for _ in range(3))
    outputs = torch.randn(2 * count, *shape[1:]).to(dtype)
    unconditional, conditional = outputs[:count], outputs[count:]
    guidance, coefficients = torch.linspace(0, 7.5, count), torch.randn(count, 4)
    for has_noise, has_previous, has_rescale in product((False, True), repeat=3):
        optional = (
            noise if has_noise else None,
            previous if has_previous else None,
            torch.linspace(1, 0, count) if has_rescale else None,
        )
        arguments = (x, unconditional, conditional, guidance, coefficients, *optional)
        kernel, plain, reference = launch(*arguments), guided_step(*arguments), guided_step(*map(exact, arguments))
        for ours, theirs, true in zip(kernel, plain, reference, strict=True):
            check(ours, theirs, true)


def test_strides(check: Callable[..., None]) -> None:
    x, unconditional, conditional = torch.randn(3, 2, 6, 5).transpose(2, 3).unbind()
    arguments = (x, unconditional, conditional.contiguous(), torch.ones(2), torch.randn(4, 2).t(), None, None, None)
    for ours, theirs in zip(launch(*arguments), guided_step(*arguments), strict=True):
        check(ours, theirs, theirs.double())


def test_a_sample_does_not_depend_on_its_neighbours() -> None:
    x, unconditional, conditional = torch.randn(3, 3, 700).unbind()
    guidance, coefficients, rescale = torch.tensor([1.0, 5.0, 9.0]), torch.randn(3, 4), torch.full((3,), 0.7)
    together = launch(x, unconditional, conditional, guidance, coefficients, None, None, rescale)
    for row in range(3):
        one = slice(row, row + 1)
        alone = launch(
            x[one], unconditional[one], conditional[one], guidance[one], coefficients[one], None, None, rescale[one]
        )
        assert torch.equal(alone[0], together[0][one])
        assert torch.equal(alone[1], together[1][one])


def test_rescaling_gives_the_deviation_of_the_conditional_output() -> None:
    unconditional, conditional = torch.randn(2, 1, 20000).unbind()
    coefficients = torch.tensor([[0.0, 1.0, 0.0, 0.0]])
    out, _ = launch(
        conditional, unconditional, conditional, torch.tensor([8.0]), coefficients, None, None, torch.tensor([1.0])
    )
    assert out.std().item() == pytest.approx(conditional.std().item(), rel=1e-5)


@pytest.mark.parametrize(("value", "count"), [(2.0, 50), (1.7, 4096), (1.7, 9001), (-2.345, 20000)])
def test_a_constant_output_is_not_rescaled(value: float, count: int) -> None:
    """However the sums of such values are rounded."""
    x, constant, other = torch.randn(1, count), torch.full((1, count), value), torch.full((1, count), 0.37 * value)
    rest = (torch.tensor([7.5]), torch.tensor([[0.0, 1.0, 0.0, 0.0]]), None, None, torch.ones(1))
    guided = other + 7.5 * (constant - other)
    for compute in (launch, guided_step):
        torch.testing.assert_close(compute(x, other, constant, *rest)[0], guided, rtol=1e-5, atol=0)
