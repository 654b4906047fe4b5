"""Triton kernel of GEGLU in e4m3 with a scale for each row."""

import triton
import triton.language as tl

from framecast.kernels.geglu.gelu import gelu


@triton.jit
def geglu_fp8_kernel(x_ptr, x_row, out_ptr, scale_ptr, WIDTH: tl.constexpr, FIRST: tl.constexpr, REST: tl.constexpr):
    """out · scale = x[c] · GELU(x[WIDTH + c]) of one row. Grid: (rows,).

    A row stays in registers from its reading to its writing, as a tile of FIRST outputs and one of REST.
    """
    row = tl.program_id(0).to(tl.int64)
    x_ptr += row * x_row
    out_ptr += row * WIDTH
    first, first_known, first_at = _gated(x_ptr, 0, WIDTH, FIRST)
    rest, rest_known, rest_at = _gated(x_ptr, FIRST, WIDTH, REST)
    largest = tl.maximum(tl.max(tl.abs(first), axis=0), tl.max(tl.abs(rest), axis=0))
    largest = tl.maximum(largest, 1e-12)
    inverse = 448.0 / largest  # one division a row: the kernel has more arithmetic than memory traffic
    tl.store(scale_ptr + row, largest / 448.0)
    tl.store(out_ptr + first_at, _rounded(first, inverse).to(out_ptr.dtype.element_ty), mask=first_known)
    tl.store(out_ptr + rest_at, _rounded(rest, inverse).to(out_ptr.dtype.element_ty), mask=rest_known)


@triton.jit
def _gated(x_ptr, start, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    """BLOCK outputs from `start`, zero beyond the row, with their mask and places."""
    at = start + tl.arange(0, BLOCK)
    known = at < WIDTH
    hidden = tl.load(x_ptr + at, mask=known, other=0.0).to(tl.float32)
    gate = tl.load(x_ptr + WIDTH + at, mask=known, other=0.0).to(tl.float32)
    return hidden * gelu(gate), known, at


@triton.jit
def _rounded(values, inverse):
    """Divided by the scale, whose inverse this is, and kept inside e4m3, which the product could leave by rounding."""
    return tl.clamp(values * inverse, -448.0, 448.0)
