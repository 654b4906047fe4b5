"""Block sizes of the group norm kernels by shape, and the specs that are compiled ahead of time."""

from collections.abc import Sequence
from dataclasses import dataclass

from framecast.kernels.spec import CAPABILITIES, SINCE_HOPPER, Constant, KernelSpec, next_power_of_two

MAX_WIDTH = 4096  # channels of a group that one tile holds
_TILE = 4096  # elements: of a block of 4 warps, 32 a thread, four 16-byte loads in half precision
_CHANNELS = 128  # a tile is at most about this wide: 256 bytes in half precision
_RESIDUAL = ("residual_ptr", "residual_sample", "residual_row")  # arguments of what is added first
_VECTOR = 8  # channels in a 16-byte load of half precision; a tile that starts at a multiple of it is read so
# (longest sample, rows of a block): about a thousand blocks at the shapes of `framecast.kernels.shapes`.
_ROWS = ((256, 64), (1024, 128), (16384, 256), (65536, 512), (1 << 31, 2048))

_ANY_ROWS = 512


@dataclass(frozen=True)
class GroupNormConfig:
    """Constants of both kernels for one shape class.

    Attributes:
        groups: number of groups.
        width: channels of a group.
        rows: pixels that one program reduces; also the unit of the partial statistics.
        tile: elements of a tile.
        channels: a tile's width is at most about this.
        stages: tiles in flight, as Triton's software pipeline has them. On an H200 three take 0.84 of the time of one
            at 16 × 512² × 128 (docs/log.md).
        warps: of a block.
    """

    groups: int
    width: int
    rows: int
    tile: int = _TILE
    channels: int = _CHANNELS
    stages: int = 3
    warps: int = 4

    @classmethod
    def choose(cls, groups: int, channels: int, length: int) -> "GroupNormConfig":
        """For [N, length, channels]: enough blocks to fill a GPU, few enough that merging them costs little.

        N has no say: a sample's sums are made in the same order whatever its neighbours.
        """
        known = isinstance(length, int)  # one that is only known as a graph runs may be any: the middle class
        rows = next(rows for most, rows in _ROWS if length <= most) if known else _ANY_ROWS
        return cls(groups, channels // groups, rows)

    @property
    def tile_groups(self) -> int:
        """Groups of a tile: of those that fit, the number that leaves fewest lanes idle, on aligned channels."""
        if self.width >= self.channels:
            return 1
        aligned = max(1, _VECTOR // (self.width & -self.width))  # so many groups begin at multiples of _VECTOR
        fitting = range(1, min(self.groups, self.channels // self.width) + 1)
        wanted = [count for count in fitting if count % aligned == 0 or count == self.groups] or list(fitting)
        return min(wanted, key=lambda count: (self._lanes(count), -count))

    def _lanes(self, count: int) -> int:
        """Lanes that tiles of `count` groups occupy for all groups."""
        return -(-self.groups // count) * next_power_of_two(count * self.width)

    @property
    def block_channels(self) -> int:
        return next_power_of_two(self.tile_groups * self.width)

    @property
    def block_groups(self) -> int:
        return next_power_of_two(self.tile_groups)

    @property
    def block_rows(self) -> int:
        """As many as fill a tile of full width: narrow ones take no more, for their masks would cost registers."""
        return max(1, self.tile // max(self.block_channels, _CHANNELS))

    @property
    def group_tiles(self) -> int:
        """Programs along the grid's second axis."""
        return -(-self.groups // self.tile_groups)

    def constants(self, shift: bool = False) -> dict[str, Constant]:
        """Of both kernels; `shift` says that what is added is one row for all."""
        return {
            "GROUPS": self.groups,
            "WIDTH": self.width,
            "ROWS": self.rows,
            "TILE_GROUPS": self.tile_groups,
            "BLOCK_ROWS": self.block_rows,
            "BLOCK_GROUPS": self.block_groups,
            "BLOCK_CHANNELS": self.block_channels,
            "STAGES": self.stages,
            "SHIFT": shift,
        }

    def apply_constants(self, eps: float, silu: bool, shift: bool = False) -> dict[str, Constant]:
        """Of the second kernel."""
        return {**self.constants(shift), "BLOCK_PARTIALS": 64, "EPS": eps, "SILU": silu}


def stats_spec(config: GroupNormConfig, dtype: str, *, residual: bool, variant: str, shift: bool = False) -> KernelSpec:
    """The first kernel, for dense rows of `dtype` (fp16, bf16 or fp32).

    With `shift` what is added is one row for all, and the sum is not written.
    """
    from framecast.kernels.group_norm_silu.kernel import stats_kernel

    arguments = {
        "x_ptr": f"*{dtype}",
        "residual_ptr": f"*{dtype}",
        "length": "i32",
        "x_sample": "i32",
        "x_row": "i32",
        "residual_sample": "i32",
        "residual_row": "i32",
        "sum_ptr": f"*{dtype}",
        "partial_ptr": "*fp32",
    }
    absent = (() if residual else _RESIDUAL) + (() if residual and not shift else ("sum_ptr",))
    arguments, constants = _without(absent, arguments, config.constants(shift))
    return KernelSpec(
        "group_norm_silu",
        variant,
        stats_kernel,
        arguments,
        constants,
        _divisible(config, arguments),
        num_warps=config.warps,
    )


def apply_spec(
    config: GroupNormConfig,
    dtype: str,
    *,
    eps: float,
    silu: bool,
    variant: str,
    out: str | None = None,
    shift: bool = False,
) -> KernelSpec:
    """The second kernel, for dense rows of `dtype`; `out` is the type of its result if it has another.

    With `shift` it adds once more the row that the first has added.
    """
    from framecast.kernels.group_norm_silu.kernel import apply_kernel

    arguments = {
        "x_ptr": f"*{dtype}",
        "residual_ptr": f"*{dtype}",
        "partial_ptr": "*fp32",
        "weight_ptr": f"*{dtype}",
        "bias_ptr": f"*{dtype}",
        "length": "i32",
        "x_sample": "i32",
        "x_row": "i32",
        "residual_sample": "i32",
        "residual_row": "i32",
        "out_ptr": f"*{out or dtype}",
    }
    arguments, constants = _without(() if shift else _RESIDUAL, arguments, config.apply_constants(eps, silu, shift))
    return KernelSpec(
        "group_norm_silu" if out is None else "fp8",
        variant,
        apply_kernel,
        arguments,
        constants,
        _divisible(config, arguments),
        num_warps=config.warps,
        capabilities=CAPABILITIES if out is None else SINCE_HOPPER,
    )


def _without(
    absent: Sequence[str], arguments: dict[str, str], constants: dict[str, Constant]
) -> tuple[dict[str, str], dict[str, Constant]]:
    """Run-time arguments without those that are absent, which are constants then: None."""
    present = {name: kind for name, kind in arguments.items() if name not in absent}
    return present, {**constants, **dict.fromkeys(absent)}


def _divisible(config: GroupNormConfig, arguments: dict[str, str]) -> tuple[str, ...]:
    """Pointers are 16-byte aligned; strides of dense rows are multiples of the channel count."""
    aligned = (config.groups * config.width) % 16 == 0
    return tuple(name for name, kind in arguments.items() if kind[0] == "*" or (aligned and name != "length"))


def specs() -> list[KernelSpec]:
    """One a shape class: UNet levels, the decoder's narrow groups, the motion transformer's norm, storybook."""
    found = []
    for name, groups, channels, length in (
        ("unet 64², 320", 32, 320, 4096),
        ("unet 8², 2560", 32, 2560, 64),
        ("vae 512², 128", 32, 128, 512 * 512),
        ("storybook 64", 16, 64, 256),
    ):
        config = GroupNormConfig.choose(groups, channels, length)
        found.append(stats_spec(config, "fp16", residual=False, variant=f"{name}, fp16"))
        found.append(apply_spec(config, "fp16", eps=1e-5, silu=True, variant=f"{name}, fp16"))
    config = GroupNormConfig.choose(32, 320, 4096)
    found.append(stats_spec(config, "bf16", residual=True, variant="unet 64², 320, residual, bf16"))
    found.append(stats_spec(config, "bf16", residual=True, shift=True, variant="unet 64², 320, shift, bf16"))
    found.append(apply_spec(config, "bf16", eps=1e-5, silu=True, shift=True, variant="unet 64², 320, shift, bf16"))
    return found
