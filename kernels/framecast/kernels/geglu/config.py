"""Block sizes of the GEGLU kernel, and the specs that are compiled ahead of time."""

from framecast.kernels.spec import KernelSpec, next_power_of_two

_TILE = 2048  # elements; a thread of 4 warps has 16 of them, two 16-byte loads in half precision


def constants(width: int) -> dict[str, int]:
    """For rows of `width` outputs."""
    exact = min(width & -width, 512)  # the largest power of two that leaves no lane idle
    block_width = exact if exact >= 64 else min(next_power_of_two(width), 512)
    return {"WIDTH": width, "BLOCK_ROWS": _TILE // block_width, "BLOCK_WIDTH": block_width}


def spec(width: int, dtype: str, *, variant: str) -> KernelSpec:
    """For dense rows of `dtype` (fp16, bf16 or fp32)."""
    from framecast.kernels.geglu.kernel import geglu_kernel

    arguments = {"x_ptr": f"*{dtype}", "rows": "i32", "x_row": "i32", "out_ptr": f"*{dtype}"}
    divisible = ("x_ptr", "x_row", "out_ptr") if width % 8 == 0 else ("x_ptr", "out_ptr")
    return KernelSpec("geglu", variant, geglu_kernel, arguments, constants(width), divisible)


def specs() -> list[KernelSpec]:
    """One a shape class."""
    return [
        spec(1280, "fp16", variant="unet 64², 1280, fp16"),
        spec(5120, "bf16", variant="unet 16², 5120, bf16"),
        spec(256, "fp16", variant="narrow 256, fp16"),
    ]
