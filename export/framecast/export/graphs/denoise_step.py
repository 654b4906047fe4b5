"""A denoise step as one graph: classifier-free guidance, UNet and sampler update inside."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from framecast.engines.engine import Array
from framecast.engines.load import load_engine
from framecast.export.exported import Exported
from framecast.export.onnx_graph import export_onnx
from framecast.export.parity import batch_independence, compare, gaussian


class DenoiseStep(nn.Module):
    """One step of B segments, each at its own timestep.

    Per sample it computes ``next = a · x + b · out`` with ``out = unconditional + guidance · (conditional −
    unconditional)`` of ``unet(scale · x, timestep)``, where (scale, a, b) are the sampler's coefficients
    (`framecast.denoiser.samplers`). Frames marked in `given` are taken from `context` before and after the step:
    the segment grows out of finished frames.

    Args:
        unet: a `diffusers.UNet3DConditionModel`.
    """

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.unet = unet

    def forward(
        self,
        latents: Tensor,
        timestep: Tensor,
        embedding: Tensor,
        negative_embedding: Tensor,
        guidance: Tensor,
        coefficients: Tensor,
        context: Tensor,
        given: Tensor,
    ) -> Tensor:
        """The next latents [B, F, C, h, w].

        Args:
            latents: [B, F, C, h, w].
            timestep: [B].
            embedding, negative_embedding: [B, T, D].
            guidance: [B].
            coefficients: [B, 3], (scale, a, b).
            context: [B, F, C, h, w].
            given: [B, F], 1 where `context` rules.
        """
        fixed = given[:, :, None, None, None] > 0.5
        scale, a, b = (coefficients[:, i, None, None, None, None] for i in range(3))
        x = torch.where(fixed, context, latents)
        sample = (x * scale).transpose(1, 2)  # [B, C, F, h, w], as diffusers has it
        out = self.unet(
            torch.cat([sample, sample]),
            torch.cat([timestep, timestep]),
            torch.cat([negative_embedding, embedding]),
        ).sample
        count = latents.shape[0]
        unconditional, conditional = out.transpose(1, 2).split([count, count])
        weight = guidance[:, None, None, None, None]
        guided = unconditional + weight * (conditional - unconditional)
        return torch.where(fixed, context, a * x + b * guided)


def export_denoise_step(unet: Any, path: Path, *, opset: int) -> Exported:
    """Exports `unet` as a denoise step, every axis but the channels dynamic, and checks it.

    Raises:
        ParityError: it differs from torch, or a sample depends on its neighbours.
    """
    step = DenoiseStep(unet).eval()
    multiple = 2 ** (len(unet.config.block_out_channels) - 1)  # the UNet halves height and width so often
    batch, frames, tokens = Dim("batch", max=64), Dim("frames", max=256), Dim("tokens", max=512)
    height, width = multiple * Dim("height", max=256), multiple * Dim("width", max=256)
    latents = {0: batch, 1: frames, 3: height, 4: width}
    sample = _case(unet, batch=2, frames=3, height=4 * multiple, width=5 * multiple, tokens=7)
    export_onnx(
        step,
        {name: torch.from_numpy(value) for name, value in sample.items()},
        {
            "latents": latents,
            "timestep": {0: batch},
            "embedding": {0: batch, 1: tokens},
            "negative_embedding": {0: batch, 1: tokens},
            "guidance": {0: batch},
            "coefficients": {0: batch},
            "context": latents,
            "given": {0: batch, 1: frames},
        },
        ["next_latents"],
        path,
        opset=opset,
        symbolic=True,
    )
    engine = load_engine("onnxruntime", path)
    mixed = _case(unet, batch=3, frames=3, height=2 * multiple, width=3 * multiple, tokens=6)
    cases = [sample, mixed, _case(unet, batch=1, frames=1, height=multiple, width=2 * multiple, tokens=2)]
    parity = compare("unet", engine, lambda **inputs: [step(**inputs)], cases, ["next_latents"])
    independence = batch_independence(engine, mixed, "next_latents")
    return Exported(engine, opset, {**parity, "batch_difference": independence["max_abs_difference"]})


def _case(unet: Any, *, batch: int, frames: int, height: int, width: int, tokens: int) -> dict[str, Array]:
    """Random inputs at mixed timesteps; the first frame of every second sample is given."""
    config = unet.config
    shape = (batch, frames, config.in_channels, height, width)
    given = torch.zeros(batch, frames)
    given[::2, : frames // 2] = 1
    timesteps = torch.linspace(999, 1, batch).round()
    coefficients = torch.tensor([[1.0, 0.9, -0.4]]).repeat(batch, 1) + torch.arange(batch)[:, None] * 0.05
    return {
        "latents": gaussian(1, *shape),
        "timestep": timesteps.numpy(),
        "embedding": gaussian(2, batch, tokens, config.cross_attention_dim),
        "negative_embedding": gaussian(3, batch, tokens, config.cross_attention_dim),
        "guidance": torch.linspace(1, 7, batch).numpy(),
        "coefficients": coefficients.numpy(),
        "context": gaussian(4, *shape),
        "given": given.numpy(),
    }
