"""Triton kernels of group normalisation on channels-last rows.

A tile is [rows, channels] of whole groups, so that every load and store is as wide as the hardware has them whatever
the width of a group; groups are told apart only once a block, after the rows are summed. Statistics are taken about
the block's first row, so a mean far from zero loses no digits, and channels and blocks are merged as Chan,
Golub and LeVeque (1979) do.
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
    TILE_GROUPS: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_GROUPS: tl.constexpr,
    BLOCK_CHANNELS: tl.constexpr,
    STAGES: tl.constexpr,
    SHIFT: tl.constexpr,
):
    """Mean and squared deviation of every group in each block of ROWS rows of x, or of the sum of x and a residual.

    The sum is written where there is a place for it. With SHIFT the residual is one row for all, and read once.

    Grid: (ceil(length / ROWS), ceil(GROUPS / TILE_GROUPS), samples). partial: float32 [N, blocks, 2, GROUPS].
    """
    block = tl.program_id(0)
    sample = tl.program_id(2).to(tl.int64)
    lane = tl.arange(0, BLOCK_CHANNELS)
    channel = tl.program_id(1) * (TILE_GROUPS * WIDTH) + lane
    inside = (lane < TILE_GROUPS * WIDTH) & (channel < GROUPS * WIDTH)
    row = tl.arange(0, BLOCK_ROWS)

    first = (block * ROWS).to(tl.int64)
    rows = tl.minimum(length - block * ROWS, ROWS)
    x_ptr += sample * x_sample + first * x_row
    about = tl.load(x_ptr + channel, mask=inside, other=0.0).to(tl.float32)
    if residual_ptr is not None:
        residual_ptr += sample * residual_sample + first * residual_row
        if sum_ptr is not None:
            sum_ptr += (sample * length + first) * (GROUPS * WIDTH)
        same = tl.load(residual_ptr + channel, mask=inside, other=0.0).to(tl.float32)
        about += same

    linear = tl.zeros((BLOCK_ROWS, BLOCK_CHANNELS), tl.float32)
    square = tl.zeros((BLOCK_ROWS, BLOCK_CHANNELS), tl.float32)
    for start in tl.range(0, rows, BLOCK_ROWS, num_stages=STAGES):
        at = (start + row)[:, None]
        mask = (at < rows) & inside[None, :]
        tile = tl.load(x_ptr + at * x_row + channel[None, :], mask=mask, other=0.0).to(tl.float32)
        if residual_ptr is not None:
            if SHIFT:
                tile += same[None, :]
            else:
                where = residual_ptr + at * residual_row + channel[None, :]
                tile += tl.load(where, mask=mask, other=0.0).to(tl.float32)
            rounded = tile.to(x_ptr.dtype.element_ty)
            if sum_ptr is not None:
                tl.store(sum_ptr + at * (GROUPS * WIDTH) + channel[None, :], rounded, mask=mask)
            tile = rounded.to(tl.float32)  # the statistics are those of the sum that is handed on
        deviation = tl.where(mask, tile - about[None, :], 0.0)
        linear += deviation
        square += deviation * deviation

    # Every channel's mean and squared deviation, then those of the channels of a group together.
    count = rows.to(tl.float32)
    total = tl.sum(linear, axis=0)
    offset = total / count
    mean = about + offset
    squares = tl.maximum(tl.sum(square, axis=0) - total * offset, 0.0)
    local = tl.arange(0, BLOCK_GROUPS)
    member = (local[:, None] == (lane // WIDTH)[None, :]) & inside[None, :]
    means = tl.sum(tl.where(member, mean[None, :], 0.0), axis=1) / WIDTH
    apart = tl.where(member, mean[None, :] - means[:, None], 0.0)
    within = tl.sum(tl.where(member, squares[None, :], 0.0) + count * apart * apart, axis=1)
    group = tl.program_id(1) * TILE_GROUPS + local
    known = (local < TILE_GROUPS) & (group < GROUPS)
    partial_ptr += (sample * tl.num_programs(0) + block) * (2 * GROUPS)
    tl.store(partial_ptr + group, means, mask=known)
    tl.store(partial_ptr + GROUPS + group, within, mask=known)


@triton.jit
def apply_kernel(
    x_ptr,
    residual_ptr,
    partial_ptr,
    weight_ptr,
    bias_ptr,
    length,
    x_sample,
    x_row,
    residual_sample,
    residual_row,
    out_ptr,
    GROUPS: tl.constexpr,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    TILE_GROUPS: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_GROUPS: tl.constexpr,
    BLOCK_CHANNELS: tl.constexpr,
    STAGES: tl.constexpr,
    SHIFT: tl.constexpr,
    BLOCK_PARTIALS: tl.constexpr,
    EPS: tl.constexpr,
    SILU: tl.constexpr,
):
    """Normalises, scales, and optionally applies SiLU; the grid is that of `stats_kernel`, out is dense [N, L, C].

    With a residual it is their sum that is normalised, rounded as there.

    Blocks are taken from the last to the first: what the statistics read last is still in the L2 cache.
    """
    blocks = tl.num_programs(0)
    block = blocks - 1 - tl.program_id(0)
    sample = (tl.num_programs(2) - 1 - tl.program_id(2)).to(tl.int64)
    local = tl.arange(0, BLOCK_GROUPS)
    group = tl.program_id(1) * TILE_GROUPS + local
    known = (local < TILE_GROUPS) & (group < GROUPS)

    part = tl.arange(0, BLOCK_PARTIALS)
    partial_ptr += sample * blocks * (2 * GROUPS)
    elements = length * 1.0 * WIDTH  # a length of 1 is a constant to Triton, and has no `to`
    near = tl.load(partial_ptr + group, mask=known, other=0.0)  # blocks are merged about the first one's mean
    mean = near
    for start in range(0, blocks, BLOCK_PARTIALS):
        at = start + part
        count = (tl.minimum(length - at * ROWS, ROWS) * WIDTH).to(tl.float32)
        here = (at < blocks)[:, None] & known[None, :]
        means = tl.load(partial_ptr + at[:, None] * (2 * GROUPS) + group[None, :], mask=here, other=0.0)
        apart = tl.where(here, means - near[None, :], 0.0)
        mean += tl.sum(apart * (count / elements)[:, None], axis=0)
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

    # From groups to their channels.
    lane = tl.arange(0, BLOCK_CHANNELS)
    channel = tl.program_id(1) * (TILE_GROUPS * WIDTH) + lane
    inside = (lane < TILE_GROUPS * WIDTH) & (channel < GROUPS * WIDTH)
    member = local[:, None] == (lane // WIDTH)[None, :]
    centre = tl.sum(tl.where(member, mean[:, None], 0.0), axis=0)
    scale = tl.sum(tl.where(member, inverse[:, None], 0.0), axis=0)
    scale *= tl.load(weight_ptr + channel, mask=inside, other=0.0).to(tl.float32)
    bias = tl.load(bias_ptr + channel, mask=inside, other=0.0).to(tl.float32)

    row = tl.arange(0, BLOCK_ROWS)
    first = (block * ROWS).to(tl.int64)
    rows = tl.minimum(length - block * ROWS, ROWS)
    x_ptr += sample * x_sample + first * x_row
    out_ptr += (sample * length + first) * (GROUPS * WIDTH)
    if residual_ptr is not None:
        residual_ptr += sample * residual_sample + first * residual_row
        same = tl.load(residual_ptr + channel, mask=inside, other=0.0).to(tl.float32)
    for start in tl.range(0, rows, BLOCK_ROWS, num_stages=STAGES):
        at = (start + row)[:, None]
        mask = (at < rows) & inside[None, :]
        tile = tl.load(x_ptr + at * x_row + channel[None, :], mask=mask, other=0.0).to(tl.float32)
        if residual_ptr is not None:
            if SHIFT:
                tile += same[None, :]
            else:
                where = residual_ptr + at * residual_row + channel[None, :]
                tile += tl.load(where, mask=mask, other=0.0).to(tl.float32)
            tile = tile.to(x_ptr.dtype.element_ty).to(tl.float32)
        tile = (tile - centre[None, :]) * scale[None, :] + bias[None, :]
        if SILU:
            tile = tile * tl.sigmoid(tile)
        if out_ptr.dtype.element_ty.is_fp8():
            tile = tl.clamp(tile, -448.0, 448.0)
        tl.store(out_ptr + at * (GROUPS * WIDTH) + channel[None, :], tile.to(out_ptr.dtype.element_ty), mask=mask)
