"""Block sizes of the temporal attention kernel, and the specs that are compiled ahead of time."""

from framecast.kernels.spec import Constant, KernelSpec, next_power_of_two

MAX_FRAMES = 32  # scores of one head stay in registers
MAX_WIDTH = 256  # channels of a head
FARTHEST = 1 << 29  # elements between two pixels, of which a program steps over three with 32-bit offsets


def pixels_of(frames: int, width: int, itemsize: int, *, position: bool) -> int:
    """Pixels that one program attends to, one after the other, with the next one's tiles on their way to shared memory.

    In half precision four are fastest on an H200 for heads wider than 64 channels (docs/log.md). Nine tiles in flight,
    with a table of positions, must fit the 99 KB of sm_120; in single precision they would not.
    """
    tile = _block(frames) * _block(width) * itemsize
    return 4 if width > 64 and itemsize == 2 and (tile <= 8192 or not position) else 1


def constants(frames: int, heads: int, width: int, scale: float, pixels: int) -> dict[str, Constant]:
    """For attention of `heads` heads of `width` channels over `frames` frames, `pixels` a program."""
    return {
        "FRAMES": frames,
        "HEADS": heads,
        "WIDTH": width,
        "BLOCK_FRAMES": _block(frames),
        "BLOCK_WIDTH": _block(width),
        "PIXELS": pixels,
        "SCALE": scale,
    }


def warps(frames: int, width: int) -> int:
    """A warp for each 1024 elements of a head's tile, at most eight."""
    return max(1, min(8, _block(frames) * _block(width) // 1024))


def _block(length: int) -> int:
    return max(16, next_power_of_two(length))  # tl.dot wants at least 16


def spec(
    frames: int,
    heads: int,
    width: int,
    dtype: str,
    *,
    position: bool,
    variant: str,
    scale: float | None = None,
    spills: str = "",
) -> KernelSpec:
    """For dense [B · frames, P, heads · width] of `dtype` (fp16, bf16 or fp32)."""
    from framecast.kernels.temporal_attention.kernel import attention_kernel

    pixels = pixels_of(frames, width, 4 if dtype == "fp32" else 2, position=position)
    fixed = constants(frames, heads, width, width**-0.5 if scale is None else scale, pixels)
    arguments = {"q_ptr": f"*{dtype}", "k_ptr": f"*{dtype}", "v_ptr": f"*{dtype}"}
    if position:
        arguments["position_ptr"] = f"*{dtype}"
    else:
        fixed["position_ptr"] = None
    strides = ("q_frame", "q_pixel", "k_frame", "k_pixel", "v_frame", "v_pixel")
    arguments |= {"pixels": "i32", **dict.fromkeys(strides, "i32"), "out_ptr": f"*{dtype}"}
    aligned = (heads * width) % 16 == 0
    divisible = tuple(name for name, kind in arguments.items() if kind[0] == "*" or (aligned and name in strides))
    return KernelSpec(
        "temporal_attention",
        variant,
        attention_kernel,
        arguments,
        fixed,
        divisible,
        num_warps=warps(frames, width),
        num_stages=2,
        spills=spills,
    )


def specs() -> list[KernelSpec]:
    """One a shape class: AnimateDiff's head widths at 16 and 32 frames, ModelScope's, float32; the largest of all."""
    return [
        spec(16, 8, 40, "fp16", position=True, variant="16 frames, 8 × 40, position, fp16"),
        spec(16, 8, 160, "fp16", position=True, variant="16 frames, 8 × 160, position, fp16"),
        spec(32, 8, 80, "bf16", position=False, variant="32 frames, 8 × 80, bf16"),
        spec(32, 8, 160, "fp16", position=False, variant="32 frames, 8 × 160, fp16"),
        spec(16, 5, 64, "fp16", position=False, variant="16 frames, 5 × 64, fp16"),
        spec(16, 8, 40, "fp32", position=False, variant="16 frames, 8 × 40, fp32"),
        spec(32, 8, 80, "fp16", position=True, variant="32 frames, 8 × 80, position, fp16"),
        spec(
            32,
            8,
            160,
            "fp16",
            position=True,
            variant="32 frames, 8 × 160, position, fp16",
            spills="six tiles of 32 × 256 at once: sm_120 has no room to keep them in shared memory",
        ),
        spec(32, 4, 256, "fp32", position=True, variant="32 frames, 4 × 256, position, fp32"),
    ]
