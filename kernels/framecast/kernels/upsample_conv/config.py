"""Tiles of the convolution by the size of the picture, and the specs that are compiled ahead of time."""

from dataclasses import dataclass

from framecast.kernels.spec import SINCE_HOPPER, Constant, KernelSpec, next_power_of_two

_PIXELS = 128  # of a tile: two groups of four warps multiply 64 each
_LARGE, _SMALL = 160_000, 100_000  # bytes of shared memory, of Hopper and more, and of what desktops have
_SWIZZLE = 128  # bytes of a step's channels: as wide as shared memory is swizzled


@dataclass(frozen=True)
class ConvConfig:
    """Constants of the kernel for one shape class.

    Attributes:
        images, rows, wide: pixels of a tile along each axis.
        block_in: input channels of a step; weights are laid out for it.
        block_out: output channels of a tile.
        stages: steps in flight.
        warps: that multiply.
    """

    images: int
    rows: int
    wide: int
    block_in: int
    block_out: int = 128
    stages: int = 4
    warps: int = 8

    @classmethod
    def choose(cls, height: int, width: int, block_in: int, shared: int) -> "ConvConfig":
        """For pictures of this size: lines as long as the picture's, as many as fill a tile.

        `shared` is the shared memory that a block may have, bytes: four stages of 32 KiB and the barriers, or three.
        """
        wide = min(_PIXELS, next_power_of_two(width))
        rows = min(_PIXELS // wide, next_power_of_two(height))
        return cls(_PIXELS // wide // rows, rows, wide, block_in, stages=4 if shared >= _LARGE else 3)

    def constants(self, taps: int) -> dict[str, Constant]:
        return {
            "TAPS": taps,
            "IMAGES": self.images,
            "ROWS": self.rows,
            "WIDE": self.wide,
            "BLOCK_OUT": self.block_out,
            "BLOCK_IN": self.block_in,
        }


def block_in(itemsize: int) -> int:
    """Channels of a step, of elements of so many bytes."""
    return _SWIZZLE // itemsize


def padded(channels: int) -> int:
    """Channels of a packed weight: rounded up to whole steps of any element."""
    return -(-channels // _SWIZZLE) * _SWIZZLE


def spec(side: int, operand: str, result: str, *, taps: int, variant: str, small: bool = False) -> KernelSpec:
    """For pictures of side², operands and results of these types (fp16 or bf16; operands also fp8e4nv).

    Operands in e4m3 have a scale. `small` is for GPUs with little shared memory.
    """
    from framecast.kernels.upsample_conv.kernel import conv_kernel

    scaled = operand == "fp8e4nv"
    config = ConvConfig.choose(side, side, block_in(1 if scaled else 2), _SMALL if small else _LARGE)
    tile = f"{config.images}, {config.rows}, {config.wide}"
    integers = ("images", "height", "width", "out_channels", "steps", "first_y", "first_x")
    arguments = {
        "x_desc": f"tensordesc<{operand}[{tile}, {config.block_in}]>",
        "weight_desc": f"tensordesc<{operand}[{config.block_out}, {config.block_in}]>",
        "scale_ptr": "*fp32",
        "bias_ptr": f"*{result}",
        "out_desc": f"tensordesc<{result}[{tile}, {config.block_out}]>",
        **dict.fromkeys(integers, "i32"),
    }
    constants = config.constants(taps)
    if not scaled:
        del arguments["scale_ptr"]
        constants["scale_ptr"] = None
    return KernelSpec(
        "fp8" if scaled else "upsample_conv",
        f"{variant}, {config.stages} stages",
        conv_kernel,
        arguments,
        constants,
        tuple(name for name, kind in arguments.items() if kind[0] == "*"),
        num_warps=config.warps,
        num_stages=config.stages,
        capabilities=SINCE_HOPPER[2:] if small else SINCE_HOPPER[:2],
    )


def specs() -> list[KernelSpec]:
    """One a shape class: the UNet's smallest picture, its largest, a VAE's; each for much and little shared memory."""
    return [
        spec(side, dtype, dtype, taps=2, variant=f"{name}, {dtype}", small=small)
        for name, side, dtype in (("unet 8²", 8, "bf16"), ("unet 32²", 32, "fp16"), ("vae 256²", 256, "bf16"))
        for small in (False, True)
    ]
