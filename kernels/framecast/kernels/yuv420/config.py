"""The BT.709 matrix, block sizes of the kernel, and the specs that are compiled ahead of time."""

from framecast.kernels.spec import Constant, KernelSpec

# ITU-R BT.709-6, 8 bit, limited range: luma weights, and the rows Y, Cb, Cr of the matrix for R, G, B in 0 … 1.
_KR, _KB = 0.2126, 0.0722
_KG = 1 - _KR - _KB
MATRIX = (
    (219 * _KR, 219 * _KG, 219 * _KB),
    (-112 * _KR / (1 - _KB), -112 * _KG / (1 - _KB), 112.0),
    (112.0, -112 * _KG / (1 - _KR), -112 * _KB / (1 - _KR)),
)
OFFSET = (16.0, 128.0, 128.0)

BLOCK_HEIGHT, BLOCK_WIDTH, WARPS = 8, 128, 2  # of planes; the best on an H200 (docs/log.md)
BLOCK_OF_PIXELS, WARPS_OF_PIXELS = (2, 256), 1  # where the colours of a pixel lie side by side


def warps(itemsize: int) -> int:
    """For planes of elements of `itemsize` bytes: those of four take twice the registers."""
    return WARPS * max(1, itemsize // 2)


def constants(height: int = BLOCK_HEIGHT, width: int = BLOCK_WIDTH) -> dict[str, Constant]:
    """Of the kernel, for every shape; `height` and `width` of a tile, powers of two."""
    names = ("YR", "YG", "YB", "UR", "UG", "UB", "VR", "VG", "VB")
    values = (value for row in MATRIX for value in row)
    return {"BLOCK_HEIGHT": height, "BLOCK_WIDTH": width, **dict(zip(names, values, strict=True))}


def spec(dtype: str, out: str, *, aligned: bool, variant: str) -> KernelSpec:
    """For pixels of `dtype` next to each other in their rows; planes of type `out` (u8, or fp16 for TensorRT).

    `aligned` says that widths and strides are multiples of 16, which makes accesses wide.
    """
    from framecast.kernels.yuv420.kernel import yuv420_kernel

    integers = ("height", "width", "x_sample", "x_channel", "x_row")
    arguments = {
        "x_ptr": f"*{dtype}",
        **dict.fromkeys(integers, "i32"),
        "y_ptr": f"*{out}",
        "u_ptr": f"*{out}",
        "v_ptr": f"*{out}",
    }
    divisible = tuple(name for name, kind in arguments.items() if kind[0] == "*" or (aligned and name != "height"))
    return KernelSpec(
        "yuv420",
        variant,
        yuv420_kernel,
        arguments,
        {**constants(), "x_column": 1},
        divisible,
        num_warps=warps(4 if dtype == "fp32" else 2),
    )


def specs() -> list[KernelSpec]:
    """Half and single precision."""
    return [spec("fp16", "u8", aligned=True, variant="fp16"), spec("fp32", "u8", aligned=True, variant="fp32")]
