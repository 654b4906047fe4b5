"""Triton kernels of classifier-free guidance and a linear sampler's update, every sample with its own coefficients."""

import triton
import triton.language as tl


@triton.jit
def _guided(unconditional_ptr, conditional_ptr, at, mask, weight):
    unconditional = tl.load(unconditional_ptr + at, mask=mask, other=0.0).to(tl.float32)
    conditional = tl.load(conditional_ptr + at, mask=mask, other=0.0).to(tl.float32)
    return conditional, unconditional + weight * (conditional - unconditional)


@triton.jit
def moments_kernel(
    unconditional_ptr,
    conditional_ptr,
    guidance_ptr,
    length,
    unconditional_sample,
    conditional_sample,
    partial_ptr,
    BLOCK: tl.constexpr,
):
    """Mean and squared deviation of the conditional and the guided output in each block of BLOCK elements.

    Grid: (ceil(length / BLOCK), samples). partial: float32 [B, blocks, 4].
    """
    block = tl.program_id(0)
    sample = tl.program_id(1).to(tl.int64)
    at = block * BLOCK + tl.arange(0, BLOCK)
    mask = at < length
    weight = tl.load(guidance_ptr + sample).to(tl.float32)
    conditional, guided = _guided(
        unconditional_ptr + sample * unconditional_sample,
        conditional_ptr + sample * conditional_sample,
        at,
        mask,
        weight,
    )
    count = tl.minimum(length - block * BLOCK, BLOCK).to(tl.float32)
    # About the block's first element: what is the same everywhere has no deviation, not that of its sum's rounding.
    is_first = at == block * BLOCK
    first = tl.sum(tl.where(is_first, conditional, 0.0), axis=0)
    first_guided = tl.sum(tl.where(is_first, guided, 0.0), axis=0)
    partial_ptr += (sample * tl.num_programs(0) + block) * 4
    conditional = tl.where(mask, conditional - first, 0.0)
    apart = tl.sum(conditional, axis=0) / count
    conditional = tl.where(mask, conditional - apart, 0.0)
    tl.store(partial_ptr, first + apart)
    tl.store(partial_ptr + 1, tl.sum(conditional * conditional, axis=0))
    guided = tl.where(mask, guided - first_guided, 0.0)
    apart = tl.sum(guided, axis=0) / count
    guided = tl.where(mask, guided - apart, 0.0)
    tl.store(partial_ptr + 2, first_guided + apart)
    tl.store(partial_ptr + 3, tl.sum(guided * guided, axis=0))


@triton.jit
def _squares(partial_ptr, blocks, length, BLOCK: tl.constexpr, BLOCK_PARTIALS: tl.constexpr):
    """Squared deviation of a whole sample from its mean, of those of its blocks, merged about the first one's mean."""
    part = tl.arange(0, BLOCK_PARTIALS)
    near = tl.load(partial_ptr)
    mean = tl.zeros((BLOCK_PARTIALS,), tl.float32)
    for start in range(0, blocks, BLOCK_PARTIALS):
        at = start + part
        share = tl.minimum(length - at * BLOCK, BLOCK).to(tl.float32) / (length * 1.0)  # 1 is a constant, without `to`
        apart = tl.where(at < blocks, tl.load(partial_ptr + at * 4, mask=at < blocks, other=0.0) - near, 0.0)
        mean += apart * share
    centre = near + tl.sum(mean, axis=0)
    squares = tl.zeros((BLOCK_PARTIALS,), tl.float32)
    for start in range(0, blocks, BLOCK_PARTIALS):
        at = start + part
        count = tl.minimum(length - at * BLOCK, BLOCK).to(tl.float32)
        apart = tl.load(partial_ptr + at * 4, mask=at < blocks, other=0.0) - centre
        inner = tl.load(partial_ptr + at * 4 + 1, mask=at < blocks, other=0.0)
        squares += tl.where(at < blocks, inner + apart * apart * count, 0.0)
    return tl.sum(squares, axis=0)


@triton.jit
def step_kernel(
    x_ptr,
    unconditional_ptr,
    conditional_ptr,
    guidance_ptr,
    coefficients_ptr,
    noise_ptr,
    previous_ptr,
    rescale_ptr,
    partial_ptr,
    length,
    x_sample,
    unconditional_sample,
    conditional_sample,
    noise_sample,
    previous_sample,
    out_ptr,
    guided_ptr,
    BLOCK: tl.constexpr,
    MOMENTS_BLOCK: tl.constexpr,
    BLOCK_PARTIALS: tl.constexpr,
):
    """out = a · x + b · guided (+ c · noise) (+ d · previous). Grid: (ceil(length / BLOCK), samples).

    guidance, rescale: float32 [B]; coefficients: float32 [B, 4], dense. Outputs are dense.
    """
    sample = tl.program_id(1).to(tl.int64)
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < length
    weight = tl.load(guidance_ptr + sample).to(tl.float32)
    _, guided = _guided(
        unconditional_ptr + sample * unconditional_sample,
        conditional_ptr + sample * conditional_sample,
        at,
        mask,
        weight,
    )
    if rescale_ptr is not None:
        blocks = tl.cdiv(length, MOMENTS_BLOCK)
        partial_ptr += sample * blocks * 4
        wanted = _squares(partial_ptr, blocks, length, MOMENTS_BLOCK, BLOCK_PARTIALS)
        found = _squares(partial_ptr + 2, blocks, length, MOMENTS_BLOCK, BLOCK_PARTIALS)
        factor = tl.where(found > 0.0, tl.sqrt(wanted / tl.where(found > 0.0, found, 1.0)), 1.0)
        amount = tl.load(rescale_ptr + sample).to(tl.float32)
        guided *= amount * factor + (1.0 - amount)
    coefficients_ptr += sample * 4
    x = tl.load(x_ptr + sample * x_sample + at, mask=mask, other=0.0).to(tl.float32)
    out = tl.load(coefficients_ptr).to(tl.float32) * x + tl.load(coefficients_ptr + 1).to(tl.float32) * guided
    if noise_ptr is not None:
        noise = tl.load(noise_ptr + sample * noise_sample + at, mask=mask, other=0.0).to(tl.float32)
        out += tl.load(coefficients_ptr + 2).to(tl.float32) * noise
    if previous_ptr is not None:
        previous = tl.load(previous_ptr + sample * previous_sample + at, mask=mask, other=0.0).to(tl.float32)
        out += tl.load(coefficients_ptr + 3).to(tl.float32) * previous
    tl.store(out_ptr + sample * length + at, out.to(out_ptr.dtype.element_ty), mask=mask)
    tl.store(guided_ptr + sample * length + at, guided.to(guided_ptr.dtype.element_ty), mask=mask)
