"""What a GPU can do at most, and what a figure is divided by.

The two constants were measured on an H200 (bf16 product, copy) and are what every ratio here is taken against, on
whatever card: a card's name changes no figure. An H100 has HBM3 of 3.35 TB/s at its peak (NVIDIA H100 SXM data sheet)
where an H200 has HBM3e of 4.8 TB/s, so the same kernel on an H100 is at most 0.7 to 0.75 of its H200 ratio. `measured`
says what this card copies and multiplies, for who wants the ratio to that.
"""

from typing import Any

import torch

from framecast.bench.gpu.scale import Scale
from framecast.bench.gpu.timing import measure

COPY_TB_S = 4.3
MATMUL_TFLOP_S = 790.0

# Floors on an H200 in bf16, ms: FLOP ÷ 790 TFLOP/s, of one denoise step with guidance and of one decoded frame, as
# diffusers computes them: halves that are shared, sums of taps and eight bits go below.
STEP_FLOOR_MS = 44.9  # AnimateDiff on Stable Diffusion 1.5, 512 × 512, 16 frames
DISTILLED_FLOOR_MS = STEP_FLOOR_MS / 2  # the same without guidance
FRAME_FLOOR_MS = 3.2  # Stable Diffusion's VAE, 512 × 512


def note(name: str) -> str:
    """One sentence on how the card called `name` relates to the constants."""
    if "H200" in name:
        return "The ceilings are this card's."
    peak = "; its HBM3 peak is 3.35 TB/s, 0.78 of the copy ceiling" if "H100" in name else ""
    return f"The ceilings are an H200's and this is {name}{peak}."


def measured(scale: Scale) -> dict[str, Any]:
    """Copy and product of this device, in the units of the ceilings."""
    device = torch.device(scale.device)
    large = device.type == "cuda"
    side = 8192 if large else 64
    dtype = torch.bfloat16 if large else torch.float32
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    measure(lambda: a @ b, device, 4 * scale.seconds)  # an idle card has low clocks, and takes its time to raise them
    product = measure(lambda: a @ b, device, scale.seconds)
    source = torch.randn(1 << (30 if large else 16), device=device)
    target = torch.empty_like(source)
    # A kernel that copies: in a CUDA graph `copy_` becomes a memory copy, which an H200 makes at 2.7 TB/s.
    copy = measure(lambda: torch.add(source, 0.0, out=target), device, scale.seconds)
    return {
        "copy_tb_s": 2 * source.nbytes / copy.median_us / 1e6,
        "matmul_tflop_s": 2 * side**3 / product.median_us / 1e6,
        "event_floor_us": measure(lambda: source[:1].zero_(), device, scale.seconds).median_us,
    }
