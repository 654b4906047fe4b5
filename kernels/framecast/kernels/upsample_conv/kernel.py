"""Triton kernel of a convolution as matrix products over shifted windows, which the copy engine cuts out."""

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["images", "height", "width", "out_channels", "steps", "first_y", "first_x"])
def conv_kernel(
    x_desc,
    weight_desc,
    scale_ptr,
    bias_ptr,
    out_desc,
    images,
    height,
    width,
    out_channels,
    steps,
    first_y,
    first_x,
    TAPS: tl.constexpr,
    IMAGES: tl.constexpr,
    ROWS: tl.constexpr,
    WIDE: tl.constexpr,
    BLOCK_OUT: tl.constexpr,
    BLOCK_IN: tl.constexpr,
):
    """out = scale · (x ∗ weight) + bias, stride 1, borders of zeros. Persistent: the grid is as wide as the GPU.

    The first of TAPS × TAPS taps reads first_y lines below and first_x columns right of its output. A tile is
    IMAGES × ROWS × WIDE pixels by BLOCK_OUT channels. The copy engine loads each tap's window from [N, H, W, C] itself,
    and writes zeros where the window leaves the picture or its channels end: no padding, no masks, no index arithmetic.
    Weights are [O, TAPS² · C], taps outermost; C is rounded up there to `steps` blocks of BLOCK_IN.
    """
    across = tl.cdiv(out_channels, BLOCK_OUT)
    columns = tl.cdiv(width, WIDE)
    lines = tl.cdiv(height, ROWS)
    tiles = tl.cdiv(images, IMAGES) * lines * columns * across
    pixels: tl.constexpr = IMAGES * ROWS * WIDE
    for tile in range(tl.program_id(0), tiles, tl.num_programs(0)):
        out = (tile % across) * BLOCK_OUT
        place = tile // across
        x = (place % columns) * WIDE
        y = (place // columns % lines) * ROWS
        image = place // columns // lines * IMAGES
        sums = tl.zeros((pixels, BLOCK_OUT), tl.float32)
        for step in range(TAPS * TAPS * steps):
            tap = step // steps
            channel = step % steps * BLOCK_IN
            window = x_desc.load([image, y + tap // TAPS + first_y, x + tap % TAPS + first_x, channel])
            weight = weight_desc.load([out, step * BLOCK_IN])
            sums = tl.dot(window.reshape(pixels, BLOCK_IN), weight.T, sums, input_precision="ieee")
        lane = out + tl.arange(0, BLOCK_OUT)
        known = lane < out_channels
        if scale_ptr is not None:
            sums *= tl.load(scale_ptr + lane, mask=known, other=0.0)[None, :]
        sums += tl.load(bias_ptr + lane, mask=known, other=0.0).to(tl.float32)[None, :]
        out_desc.store([image, y, x, out], sums.to(out_desc.dtype).reshape(IMAGES, ROWS, WIDE, BLOCK_OUT))
