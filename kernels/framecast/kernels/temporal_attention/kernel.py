"""Triton kernel of attention over frames, one pixel and head at a time, on [batch · frames, pixels, channels]."""

import triton
import triton.language as tl


@triton.jit
def attention_kernel(
    q_ptr,
    k_ptr,
    v_ptr,
    position_ptr,
    pixels,
    q_frame,
    q_pixel,
    k_frame,
    k_pixel,
    v_frame,
    v_pixel,
    out_ptr,
    FRAMES: tl.constexpr,
    HEADS: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK_FRAMES: tl.constexpr,
    BLOCK_WIDTH: tl.constexpr,
    PIXELS: tl.constexpr,
    SCALE: tl.constexpr,
):
    """out = softmax(SCALE · q kᵀ) v over the frames of PIXELS pixels. Grid: (HEADS, ceil(pixels / PIXELS), batch).

    Heads are the fastest grid axis: neighbours in time read neighbours in memory. A head's frames × frames scores stay
    in registers, so there is no online softmax.
    """
    head = tl.program_id(0)
    batch = tl.program_id(2).to(tl.int64)
    frame = tl.arange(0, BLOCK_FRAMES)
    lane = tl.arange(0, BLOCK_WIDTH)
    mask = (frame < FRAMES)[:, None] & (lane < WIDTH)[None, :]
    channel = (head * WIDTH + lane)[None, :]
    far = (batch * FRAMES + frame)[:, None]  # int64: frames are a whole picture apart
    q_ptr += far * q_frame + channel
    k_ptr += far * k_frame + channel
    v_ptr += far * v_frame + channel
    out_ptr += far * pixels * (HEADS * WIDTH) + channel
    dtype = q_ptr.dtype.element_ty

    for index in range(PIXELS):
        pixel = tl.program_id(1) * PIXELS + index
        here = mask & (pixel + 0 * lane < pixels)[None, :]  # a vector: the interpreter makes integers of bool & scalar
        q = tl.load(q_ptr + pixel * q_pixel, mask=here, other=0.0)
        k = tl.load(k_ptr + pixel * k_pixel, mask=here, other=0.0)
        v = tl.load(v_ptr + pixel * v_pixel, mask=here, other=0.0)
        if position_ptr is not None:
            where = position_ptr + frame[:, None] * (HEADS * WIDTH) + channel
            table: tl.constexpr = FRAMES * HEADS * WIDTH
            q = (q.to(tl.float32) + tl.load(where, mask=mask, other=0.0).to(tl.float32)).to(dtype)
            k = (k.to(tl.float32) + tl.load(where + table, mask=mask, other=0.0).to(tl.float32)).to(dtype)
            v = (v.to(tl.float32) + tl.load(where + 2 * table, mask=mask, other=0.0).to(tl.float32)).to(dtype)
        scores = tl.dot(q, tl.trans(k), input_precision="ieee") * SCALE
        scores = tl.where((frame < FRAMES)[None, :], scores, float("-inf"))
        weights = tl.exp(scores - tl.max(scores, axis=1)[:, None])
        mixed = tl.dot(weights.to(dtype), v, input_precision="ieee") / tl.sum(weights, axis=1)[:, None]
        tl.store(out_ptr + pixel * (HEADS * WIDTH), mixed.to(out_ptr.dtype.element_ty), mask=here)
