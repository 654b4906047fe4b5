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
    """out = softmax(SCALE · q kᵀ) v over the frames of PIXELS pixels. Grid: (HEADS · ceil(pixels / PIXELS) · batch,).

    Heads run fastest: neighbours in time read neighbours in memory. A head's frames × frames scores stay in registers,
    so there is no online softmax. One axis, for the others end at 65,535.
    """
    head = tl.program_id(0) % HEADS
    block = tl.program_id(0) // HEADS
    blocks = tl.cdiv(pixels, PIXELS)
    batch = (block // blocks).to(tl.int64)
    block = block % blocks
    frame = tl.arange(0, BLOCK_FRAMES)
    lane = tl.arange(0, BLOCK_WIDTH)
    mask = (frame < FRAMES)[:, None] & (lane < WIDTH)[None, :]
    channel = (head * WIDTH + lane)[None, :]
    far = (batch * FRAMES + frame)[:, None]  # int64: frames are a whole picture apart
    first = (block * PIXELS).to(tl.int64)  # pixels may be far apart too
    q_ptr += far * q_frame + first * q_pixel + channel
    k_ptr += far * k_frame + first * k_pixel + channel
    v_ptr += far * v_frame + first * v_pixel + channel
    out_ptr += (far * pixels + first) * (HEADS * WIDTH) + channel
    dtype = q_ptr.dtype.element_ty

    for index in range(PIXELS):
        # A vector: the interpreter makes integers of bool & scalar.
        here = mask & (block * PIXELS + index + 0 * lane < pixels)[None, :]
        q = tl.load(q_ptr + index * q_pixel, mask=here, other=0.0)
        k = tl.load(k_ptr + index * k_pixel, mask=here, other=0.0)
        v = tl.load(v_ptr + index * v_pixel, mask=here, other=0.0)
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
        tl.store(out_ptr + index * (HEADS * WIDTH), mixed.to(out_ptr.dtype.element_ty), mask=here)
