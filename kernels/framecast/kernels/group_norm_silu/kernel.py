"""Triton kernels of group normalisation on channels-last rows.

A tile is [rows, groups, channels of a group], the last axis padded to a power of two: group sums are plain reductions
and no address needs a division. Statistics are taken about a shift (the mean of the block's first tile), so a mean far
from zero loses no digits, and blocks are merged as Chan, Golub and LeVeque (1979) do.
"""

import triton
import triton.language as tl


@triton.jit
def stats_kernel(
    x_ptr,
    residual_ptr,
    length,
    x_sample,
    x_row,
    residual_sample,
    residual_row,
    sum_ptr,
    partial_ptr,
    GROUPS: tl.constexpr,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_GROUPS: tl.constexpr,
    BLOCK_WIDTH: tl.constexpr,
):
    """Mean and squared deviation of every group in each block of ROWS rows; with a residual also the sum.

    Grid: (ceil(length / ROWS), ceil(GROUPS / BLOCK_GROUPS), samples). partial: float32 [N, blocks, 2, GROUPS].
    """
    block = tl.program_id(0)
    group = tl.program_id(1) * BLOCK_GROUPS + tl.arange(0, BLOCK_GROUPS)
    sample = tl.program_id(2).to(tl.int64)
    lane = tl.arange(0, BLOCK_WIDTH)
    row = tl.arange(0, BLOCK_ROWS)
    inside = ((group < GROUPS)[:, None] & (lane < WIDTH)[None, :])[None, :, :]
    channel = (group[:, None] * WIDTH + lane[None, :])[None, :, :]

    first = (block * ROWS).to(tl.int64)
    rows = tl.minimum(length - block * ROWS, ROWS)
    x_ptr += sample * x_sample + first * x_row
    if residual_ptr is not None:
        residual_ptr += sample * residual_sample + first * residual_row
        sum_ptr += (sample * length + first) * (GROUPS * WIDTH)

    mask = (row < rows)[:, None, None] & inside
    tile = tl.load(x_ptr + row[:, None, None] * x_row + channel, mask=mask, other=0.0).to(tl.float32)
    if residual_ptr is not None:
        tile += tl.load(residual_ptr + row[:, None, None] * residual_row + channel, mask=mask, other=0.0).to(tl.float32)
    shift = tl.sum(tl.sum(tile, axis=2), axis=0) / (tl.minimum(rows, BLOCK_ROWS) * WIDTH).to(tl.float32)

    linear = tl.zeros((BLOCK_ROWS, BLOCK_GROUPS, BLOCK_WIDTH), tl.float32)
    square = tl.zeros((BLOCK_ROWS, BLOCK_GROUPS, BLOCK_WIDTH), tl.float32)
    for start in range(0, rows, BLOCK_ROWS):
        at = (start + row)[:, None, None]
        mask = (at < rows) & inside
        tile = tl.load(x_ptr + at * x_row + channel, mask=mask, other=0.0).to(tl.float32)
        if residual_ptr is not None:
            tile += tl.load(residual_ptr + at * residual_row + channel, mask=mask, other=0.0).to(tl.float32)
            rounded = tile.to(sum_ptr.dtype.element_ty)
            tl.store(sum_ptr + at * (GROUPS * WIDTH) + channel, rounded, mask=mask)
            tile = rounded.to(tl.float32)  # the statistics are those of the sum that is handed on
        deviation = tl.where(mask, tile - shift[None, :, None], 0.0)
        linear += deviation
        square += deviation * deviation

    total = tl.sum(tl.sum(linear, axis=2), axis=0)
    offset = total / (rows * WIDTH).to(tl.float32)
    squares = tl.maximum(tl.sum(tl.sum(square, axis=2), axis=0) - total * offset, 0.0)
    partial_ptr += (sample * tl.num_programs(0) + block) * (2 * GROUPS)
    tl.store(partial_ptr + group, shift + offset, mask=group < GROUPS)
    tl.store(partial_ptr + GROUPS + group, squares, mask=group < GROUPS)


@triton.jit
def apply_kernel(
    x_ptr,
    partial_ptr,
    weight_ptr,
    bias_ptr,
    length,
    x_sample,
    x_row,
    out_ptr,
    GROUPS: tl.constexpr,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_GROUPS: tl.constexpr,
    BLOCK_WIDTH: tl.constexpr,
    BLOCK_PARTIALS: tl.constexpr,
    EPS: tl.constexpr,
    SILU: tl.constexpr,
):
    """Normalises, scales, and optionally applies SiLU; the grid is that of `stats_kernel`, out is dense [N, L, C]."""
    block = tl.program_id(0)
    blocks = tl.num_programs(0)
    group = tl.program_id(1) * BLOCK_GROUPS + tl.arange(0, BLOCK_GROUPS)
    sample = tl.program_id(2).to(tl.int64)
    known = group < GROUPS

    part = tl.arange(0, BLOCK_PARTIALS)
    partial_ptr += sample * blocks * (2 * GROUPS)
    elements = length.to(tl.float32) * WIDTH
    mean = tl.zeros((BLOCK_GROUPS,), tl.float32)
    for start in range(0, blocks, BLOCK_PARTIALS):
        at = start + part
        count = (tl.minimum(length - at * ROWS, ROWS) * WIDTH).to(tl.float32)
        here = (at < blocks)[:, None] & known[None, :]
        means = tl.load(partial_ptr + at[:, None] * (2 * GROUPS) + group[None, :], mask=here, other=0.0)
        mean += tl.sum(means * (count / elements)[:, None], axis=0)
    squares = tl.zeros((BLOCK_GROUPS,), tl.float32)
    for start in range(0, blocks, BLOCK_PARTIALS):
        at = start + part
        count = (tl.minimum(length - at * ROWS, ROWS) * WIDTH).to(tl.float32)
        here = (at < blocks)[:, None] & known[None, :]
        where = partial_ptr + at[:, None] * (2 * GROUPS) + group[None, :]
        apart = tl.where(here, tl.load(where, mask=here, other=0.0) - mean[None, :], 0.0)
        inner = tl.load(where + GROUPS, mask=here, other=0.0)
        squares += tl.sum(inner + apart * apart * count[:, None], axis=0)
    inverse = 1.0 / tl.sqrt(squares / elements + EPS)

    lane = tl.arange(0, BLOCK_WIDTH)
    row = tl.arange(0, BLOCK_ROWS)
    inside = known[:, None] & (lane < WIDTH)[None, :]
    channel = group[:, None] * WIDTH + lane[None, :]
    scale = tl.load(weight_ptr + channel, mask=inside, other=0.0).to(tl.float32) * inverse[:, None]
    bias = tl.load(bias_ptr + channel, mask=inside, other=0.0).to(tl.float32)

    first = (block * ROWS).to(tl.int64)
    rows = tl.minimum(length - block * ROWS, ROWS)
    x_ptr += sample * x_sample + first * x_row
    out_ptr += (sample * length + first) * (GROUPS * WIDTH)
    for start in range(0, rows, BLOCK_ROWS):
        at = (start + row)[:, None, None]
        mask = (at < rows) & inside[None, :, :]
        tile = tl.load(x_ptr + at * x_row + channel[None, :, :], mask=mask, other=0.0).to(tl.float32)
        tile = (tile - mean[None, :, None]) * scale[None, :, :] + bias[None, :, :]
        if SILU:
            tile = tile * tl.sigmoid(tile)
        out = tile.to(out_ptr.dtype.element_ty)
        tl.store(out_ptr + at * (GROUPS * WIDTH) + channel[None, :, :], out, mask=mask)
