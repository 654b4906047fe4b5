"""Triton kernel of GEGLU's split, exact GELU and product."""

import triton
import triton.language as tl

from framecast.kernels.geglu.gelu import gelu


@triton.jit
def geglu_kernel(x_ptr, rows, x_row, out_ptr, WIDTH: tl.constexpr, BLOCK_ROWS: tl.constexpr, BLOCK_WIDTH: tl.constexpr):
    """out[r, c] = x[r, c] · GELU(x[r, WIDTH + c]). Grid: (ceil(rows / BLOCK_ROWS), ceil(WIDTH / BLOCK_WIDTH))."""
    row = (tl.program_id(0) * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS))[:, None]
    column = (tl.program_id(1) * BLOCK_WIDTH + tl.arange(0, BLOCK_WIDTH))[None, :]
    mask = (row < rows) & (column < WIDTH)
    x_ptr += row.to(tl.int64) * x_row + column
    hidden = tl.load(x_ptr, mask=mask, other=0.0).to(tl.float32)
    gate = tl.load(x_ptr + WIDTH, mask=mask, other=0.0).to(tl.float32)
    out = (hidden * gelu(gate)).to(out_ptr.dtype.element_ty)
    tl.store(out_ptr + row.to(tl.int64) * WIDTH + column, out, mask=mask)
