"""A kernel made ready for compilation: every constant and argument type fixed, nothing about a GPU."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Constant = int | float | bool | None
CAPABILITIES = (80, 90, 100, 120)
SINCE_HOPPER = CAPABILITIES[1:]


@dataclass(frozen=True)
class KernelSpec:
    """One compilation of one kernel.

    Attributes:
        op: the op it belongs to.
        variant: the shape class and dtype, for people.
        kernel: the `triton.jit` function.
        arguments: type of every run-time argument in order, for example ``{"x_ptr": "*fp16", "length": "i32"}``.
        constants: value of every other argument.
        divisible: arguments (pointers, strides) that are multiples of 16.
        num_warps, num_stages: as Triton means them.
        capabilities: what it is compiled for; the copy engine and e4m3 begin with 90.
        spills: why it may keep values in memory that do not fit registers; empty where it must not.
    """

    op: str
    variant: str
    kernel: Any
    arguments: Mapping[str, str]
    constants: Mapping[str, Constant]
    divisible: tuple[str, ...] = ()
    num_warps: int = 4
    num_stages: int = 2
    capabilities: tuple[int, ...] = CAPABILITIES
    spills: str = ""

    @property
    def described(self) -> bool:
        """Whether it takes tensors with their shape, each of which is several parameters: none but Triton starts it."""
        return any(kind.startswith("tensordesc") for kind in self.arguments.values())

    @property
    def name(self) -> str:
        """The kernel's name."""
        return str(self.kernel.__name__)

    def signature(self) -> dict[str, str]:
        """Types of all arguments in the kernel's own order, constants as ``constexpr``.

        Raises:
            ValueError: an argument is neither typed nor constant.
        """
        names: list[str] = list(self.kernel.arg_names)
        missing = [name for name in names if name not in self.arguments and name not in self.constants]
        if missing:
            raise ValueError(f"arguments: {self.name} also takes {', '.join(missing)}.")
        return {name: self.arguments.get(name, "constexpr") for name in names}


def next_power_of_two(value: int) -> int:
    """The smallest power of two that is at least `value`."""
    return 1 << max(value - 1, 0).bit_length()
