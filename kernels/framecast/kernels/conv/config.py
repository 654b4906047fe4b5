"""Tiles of the convolution by the size of the picture."""

from dataclasses import dataclass

from framecast.kernels.spec import Constant, next_power_of_two

_PIXELS = 128  # of a tile: two groups of four warps multiply 64 each
_SWIZZLE = 128  # bytes of a step's channels: as wide as shared memory is swizzled


@dataclass(frozen=True)
class ConvConfig:
    """Constants of the kernel for one shape class.

    Attributes:
        images, rows, wide: pixels of a tile along each axis.
        block_in: input channels of a step; weights are laid out for it.
        block_out: output channels of a tile.
        specialize: warps of their own copy and multiply.
        flatten: the loops over tiles and steps are one.
        stages: steps in flight.
        warps: that multiply.
    """

    images: int
    rows: int
    wide: int
    block_in: int
    block_out: int = 128
    specialize: bool = False
    flatten: bool = False
    stages: int = 4
    warps: int = 8

    @classmethod
    def choose(cls, height: int, width: int, block_in: int) -> "ConvConfig":
        """For pictures of this size: lines as long as the picture's, as many as fill a tile."""
        wide = min(_PIXELS, next_power_of_two(width))
        rows = min(_PIXELS // wide, next_power_of_two(height))
        return cls(_PIXELS // wide // rows, rows, wide, block_in)

    def constants(self, taps: int) -> dict[str, Constant]:
        return {
            "TAPS": taps,
            "IMAGES": self.images,
            "ROWS": self.rows,
            "WIDE": self.wide,
            "BLOCK_OUT": self.block_out,
            "BLOCK_IN": self.block_in,
            "SPECIALIZE": self.specialize,
            "FLATTEN": self.flatten,
        }


def block_in(itemsize: int) -> int:
    """Channels of a step, of elements of so many bytes."""
    return _SWIZZLE // itemsize


def padded(channels: int, itemsize: int) -> int:
    """Channels rounded up to whole steps."""
    step = block_in(itemsize)
    return -(-channels // step) * step
