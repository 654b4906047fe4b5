"""Triton kernel: RGB in −1 … 1 to the planes of BT.709 limited-range YUV 4:2:0."""

import triton
import triton.language as tl


@triton.jit
def _byte(value):
    """Nearest integer, halves to even: adding 1.5 · 2²³ leaves no bits below the unit. Values are within 16 … 240."""
    return (value + 12582912.0) - 12582912.0


@triton.jit
def yuv420_kernel(
    x_ptr,
    height,
    width,
    x_sample,
    x_channel,
    x_row,
    x_column,
    y_ptr,
    u_ptr,
    v_ptr,
    BLOCK_HEIGHT: tl.constexpr,
    BLOCK_WIDTH: tl.constexpr,
    YR: tl.constexpr,
    YG: tl.constexpr,
    YB: tl.constexpr,
    UR: tl.constexpr,
    UG: tl.constexpr,
    UB: tl.constexpr,
    VR: tl.constexpr,
    VG: tl.constexpr,
    VB: tl.constexpr,
):
    """Planes of one tile of pixels. Grid: (ceil(width / BLOCK_WIDTH), ceil(height / BLOCK_HEIGHT), frames).

    Even sizes and blocks. Chroma is averaged over 2 × 2 pixels after clamping, as `DecodeYuv` does.
    """
    sample = tl.program_id(2).to(tl.int64)
    row = (tl.program_id(1) * BLOCK_HEIGHT + tl.arange(0, BLOCK_HEIGHT))[:, None]
    column = (tl.program_id(0) * BLOCK_WIDTH + tl.arange(0, BLOCK_WIDTH))[None, :]
    mask = (row < height) & (column < width)
    x_ptr += sample * x_sample + row.to(tl.int64) * x_row + column.to(tl.int64) * x_column
    red = tl.load(x_ptr, mask=mask, other=0.0).to(tl.float32)
    green = tl.load(x_ptr + x_channel, mask=mask, other=0.0).to(tl.float32)
    blue = tl.load(x_ptr + 2 * x_channel, mask=mask, other=0.0).to(tl.float32)
    red = tl.minimum(tl.maximum(red * 0.5 + 0.5, 0.0), 1.0)
    green = tl.minimum(tl.maximum(green * 0.5 + 0.5, 0.0), 1.0)
    blue = tl.minimum(tl.maximum(blue * 0.5 + 0.5, 0.0), 1.0)

    luma = _byte(YR * red + YG * green + YB * blue + 16.0)
    tl.store(y_ptr + sample * height * width + row * width + column, luma.to(y_ptr.dtype.element_ty), mask=mask)

    u = UR * red + UG * green + UB * blue
    v = VR * red + VG * green + VB * blue
    HALF_HEIGHT: tl.constexpr = BLOCK_HEIGHT // 2
    HALF_WIDTH: tl.constexpr = BLOCK_WIDTH // 2
    u = tl.sum(tl.sum(tl.reshape(u, (HALF_HEIGHT, 2, HALF_WIDTH, 2)), axis=3), axis=1)
    v = tl.sum(tl.sum(tl.reshape(v, (HALF_HEIGHT, 2, HALF_WIDTH, 2)), axis=3), axis=1)
    row = (tl.program_id(1) * HALF_HEIGHT + tl.arange(0, HALF_HEIGHT))[:, None]
    column = (tl.program_id(0) * HALF_WIDTH + tl.arange(0, HALF_WIDTH))[None, :]
    half_height = height // 2
    half_width = width // 2
    mask = (row < half_height) & (column < half_width)
    at = sample * half_height * half_width + row * half_width + column
    tl.store(u_ptr + at, _byte(u * 0.25 + 128.0).to(u_ptr.dtype.element_ty), mask=mask)
    tl.store(v_ptr + at, _byte(v * 0.25 + 128.0).to(v_ptr.dtype.element_ty), mask=mask)
