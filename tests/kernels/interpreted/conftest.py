"""Kernels on CPU tensors, in Triton's interpreter: TRITON_INTERPRET=1 must be set before triton is imported.

A plain `pytest` does not collect files with these names; tests/kernels/test_interpreted.py runs them in a process of
their own. All memory that the launch code allocates is poisoned first.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.empty gives NaN, or 0xAB: what a kernel forgets to write, or reads before writing, shows."""
    import torch

    empty = torch.empty

    def poisoned(*args: Any, **kwargs: Any) -> torch.Tensor:
        memory = empty(*args, **kwargs)
        return memory.fill_(float("nan") if memory.is_floating_point() else 0xAB)

    monkeypatch.setattr(torch, "empty", poisoned)


@pytest.fixture(autouse=True)
def _rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Corrects Triton 3.9's interpreter where a GPU rounds to nearest.

    To bfloat16 it truncates, and tl.dot multiplies the bits; to e4m3 a rounding that carries loses the carry, so that
    1.97 becomes 1.
    """
    import numpy as np
    import torch
    import triton.language as tl
    from triton.runtime.interpreter import InterpreterBuilder, TensorHandle

    cast, dot = InterpreterBuilder.cast_impl, InterpreterBuilder.create_dot
    convert = InterpreterBuilder.create_fp_to_fp

    def widen(data: Any) -> Any:
        return (data.astype(np.uint32) << 16).view(np.float32)

    def rounded_cast(self: Any, src: Any, kind: Any) -> Any:
        if src.dtype.scalar == tl.float32 and kind.scalar == tl.bfloat16:
            bits = np.ascontiguousarray(src.data).view(np.uint32)
            nearest = ((bits + (0x7FFF + ((bits >> 16) & 1)).astype(np.uint32)) >> 16).astype(np.uint16)
            return TensorHandle(np.where(np.isnan(src.data), np.uint16(0x7FC0), nearest), tl.bfloat16)
        if src.dtype.scalar == tl.bfloat16 and kind.scalar == tl.float32:
            return TensorHandle(widen(src.data), tl.float32)
        return cast(self, src, kind)

    def wide_dot(self: Any, a: Any, b: Any, *rest: Any) -> Any:
        if a.dtype.scalar == tl.bfloat16:
            a, b = (TensorHandle(widen(x.data), tl.float32) for x in (a, b))
        return dot(self, a, b, *rest)

    def to_fp8(self: Any, src: Any, kind: Any, mode: Any) -> Any:
        if src.dtype.scalar == tl.float32 and kind.scalar == tl.float8e4nv:
            values = torch.from_numpy(np.array(src.data)).to(torch.float8_e4m3fn)
            return TensorHandle(values.view(torch.uint8).numpy(), tl.float8e4nv)
        return convert(self, src, kind, mode)

    monkeypatch.setattr(InterpreterBuilder, "create_fp_to_fp", to_fp8)
    monkeypatch.setattr(InterpreterBuilder, "cast_impl", rounded_cast)
    monkeypatch.setattr(InterpreterBuilder, "create_dot", wide_dot)


@pytest.fixture(autouse=True)
def _quiet_and_seeded() -> Iterator[None]:
    """numpy computes masked lanes too, and would warn of what overflows there."""
    import numpy as np
    import torch

    torch.manual_seed(0)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        yield


@pytest.fixture
def check() -> Callable[..., None]:
    """check(kernel, plain, reference): the kernel's largest error is at most twice that of plain torch.

    `reference` is float64 for float32 inputs and float32 for half ones. Both errors get the same allowance of four
    float32 roundings of the largest value.
    """
    import torch

    def compare(kernel: torch.Tensor, plain: torch.Tensor, reference: torch.Tensor) -> None:
        assert kernel.shape == reference.shape
        assert kernel.dtype == plain.dtype
        if reference.numel() == 0:
            return
        assert torch.isfinite(kernel.double()).all()
        ours, theirs = ((x.double() - reference.double()).abs().max().item() for x in (kernel, plain))
        assert ours <= 2 * theirs + 4 * 1.2e-7 * reference.abs().max().item(), f"error {ours:.3g}, torch's {theirs:.3g}"

    return compare


@pytest.fixture
def exact() -> Callable[[Any], Any]:
    """Tensors widened for the reference: float32 → float64, half → float32; anything else as it is."""
    import torch

    def widen(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            return value
        return value.double() if value.dtype == torch.float32 else value.float()

    return widen
