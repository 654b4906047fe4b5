"""A denoise step as one graph: classifier-free guidance, UNet and sampler update inside."""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from framecast.engines.engine import Array, Engine
from framecast.export.exported import Exported, checked
from framecast.export.families import Family, family_of
from framecast.export.onnx_graph import export_onnx
from framecast.export.parity import batch_independence, compare, gaussian
from framecast.export.precision import FP32, Precision, lowered
from framecast.export.torch_graph import TorchGraph
from framecast.kernels.patches.halves import shared_halves


class DenoiseStep(nn.Module):
    """One step of B segments, each at its own timestep.

    Per sample it computes ``next = a · x + b · out + c · noise + memory`` with ``out = unconditional + guidance ·
    (conditional − unconditional)`` of ``unet(scale · x, timestep)``, where (scale, a, b, c, p, q) are the sampler's
    coefficients (`framecast.denoiser.samplers`), and keeps ``p · x + q · out`` for the step after. Samplers that
    neither draw noise nor look back take (scale, a, b) alone. Frames marked in `given` are taken from `context` before
    and after the step: the segment grows out of finished frames.

    Args:
        unet: of a class in `framecast.export.families`.
        rescale: share of the guided output that is brought back to the conditional one's deviation (Lin et al. 2023,
            arXiv:2305.08891, section 3.4); 0 for none.
        precision: of the UNet; guidance and sampler compute in single.
        shared: compute what comes before the text once for both halves of guidance, which are alike until there.
    """

    def __init__(self, unet: Any, *, rescale: float = 0.0, precision: Precision = FP32, shared: bool = False) -> None:
        super().__init__()
        self.shared = shared
        self.unet = lowered(unet, precision)
        self.dtype = precision.dtype
        self.family: Family = family_of(unet)
        self.rescale = rescale

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
        noise: Tensor | None = None,
        memory: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """The next latents [B, F, C, h, w], and the next memory where one is given.

        Args:
            latents: [B, F, C, h, w].
            timestep: [B].
            embedding, negative_embedding: [B, T, D].
            guidance: [B].
            coefficients: [B, 3], (scale, a, b); [B, 6], (scale, a, b, c, p, q) with noise and memory.
            context: [B, F, C, h, w].
            given: [B, F], 1 where `context` rules.
            noise, memory: both or neither, [B, F, C, h, w].
        """
        fixed = given[:, :, None, None, None] > 0.5
        scale, a, b, *more = coefficients[:, :, None, None, None, None].unbind(1)
        x = torch.where(fixed, context, latents)
        if self.family.still:
            x = x[:, :1].expand_as(x)
        out = self._guided((x * scale).transpose(1, 2), timestep, embedding, negative_embedding, guidance)
        following = a * x + b * out
        if noise is None or memory is None:
            return (torch.where(fixed, context, following),)
        c, p, q = more
        if self.family.still:
            noise = noise[:, :1].expand_as(noise)
        return torch.where(fixed, context, following + c * noise + memory), p * x + q * out

    def _guided(
        self, sample: Tensor, timestep: Tensor, embedding: Tensor, negative_embedding: Tensor, guidance: Tensor
    ) -> Tensor:
        """Output [B, F, C, h, w] for a sample [B, C, F, h, w], as diffusers has it."""
        with shared_halves(self.unet) if self.shared else nullcontext():
            out = self.family.call(
                self.unet,
                torch.cat([sample, sample]).to(self.dtype),
                torch.cat([timestep, timestep]),
                torch.cat([negative_embedding, embedding]).to(self.dtype),
            ).to(sample.dtype)
        count = sample.shape[0]
        unconditional, conditional = torch.split(out.transpose(1, 2), [count, count])
        # Pipelines of diffusers guide above 1 only; up to there they give the prompt's own output.
        strength = guidance.clamp(min=1.0)[:, None, None, None, None]
        guided: Tensor = unconditional + strength * (conditional - unconditional)
        if not self.rescale:
            return guided
        wanted, got = (t.flatten(1).std(dim=1)[:, None, None, None, None] for t in (conditional, guided))
        rescaled: Tensor = self.rescale * guided * (wanted / got) + (1 - self.rescale) * guided
        return rescaled


def export_denoise_step(
    unet: Any,
    path: Path,
    *,
    opset: int,
    extended: bool = False,
    rescale: float = 0.0,
    precision: Precision = FP32,
    written: bool = False,
) -> Exported:
    """Exports `unet` as a denoise step, every axis but the channels dynamic, and checks it.

    Args:
        unet: see `DenoiseStep`.
        path: of the ONNX file.
        opset: of the ONNX file.
        extended: the sampler draws noise or looks back one step.
        rescale, precision: see `DenoiseStep`.
        written: the file is there, and only checked.

    Raises:
        ParityError: it differs from torch, or a sample depends on its neighbours.
    """
    step = DenoiseStep(unet, rescale=rescale, precision=precision, shared=True).eval()
    multiple = 2 ** (len(unet.config.block_out_channels) - 1)  # the UNet halves height and width so often
    # A motion module knows so many positions in time and no more.
    longest = int(getattr(unet.config, "motion_max_seq_length", None) or 256)
    batch, frames, tokens = Dim("batch", max=31), Dim("frames", max=longest), Dim("tokens", max=512)
    height, width = multiple * Dim("height", max=256), multiple * Dim("width", max=256)
    latents = {0: batch, 1: frames, 3: height, 4: width}
    sample = _case(unet, extended, batch=2, frames=3, height=4 * multiple, width=5 * multiple, tokens=7)
    outputs = ["next_latents", *(["next_memory"] if extended else [])]
    graph = TorchGraph(
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
            **({"noise": latents, "memory": latents} if extended else {}),
        },
        outputs,
        symbolic=True,
    )
    if not written:
        export_onnx(graph, path, opset=opset)
    exact = DenoiseStep(unet, rescale=rescale).eval()
    mixed = _case(unet, extended, batch=3, frames=3, height=2 * multiple, width=3 * multiple, tokens=6)
    single = _case(unet, extended, batch=1, frames=1, height=multiple, width=2 * multiple, tokens=2)
    # With guidance 72 images: beyond 64 diffusers copies before it enlarges.
    many = _case(unet, extended, batch=4, frames=min(9, longest), height=multiple, width=2 * multiple, tokens=3)

    def check(engine: Engine) -> Mapping[str, float]:
        parity = compare(
            "unet", engine, lambda **inputs: exact(**inputs), [sample, mixed, single, many], outputs, precision
        )
        independence = batch_independence(engine, mixed, "next_latents")
        return {**parity, "batch_difference": independence["max_abs_difference"]}

    return checked(path, opset, graph, exact, check, on_cpu=precision.on_cpu)


def _case(
    unet: Any, extended: bool, *, batch: int, frames: int, height: int, width: int, tokens: int
) -> dict[str, Array]:
    """Random inputs at mixed timesteps; the first frame of every second sample is given."""
    config = unet.config
    shape = (batch, frames, config.in_channels, height, width)
    given = torch.zeros(batch, frames)
    given[::2, : frames // 2] = 1
    timesteps = torch.linspace(999, 1, batch).round()
    row = [1.0, 0.9, -0.4, *([0.3, -0.2, 0.6] if extended else [])]
    coefficients = torch.tensor([row]).repeat(batch, 1) + torch.arange(batch)[:, None] * 0.05
    return {
        "latents": gaussian(1, *shape),
        "timestep": timesteps.numpy(),
        "embedding": gaussian(2, batch, tokens, config.cross_attention_dim),
        "negative_embedding": gaussian(3, batch, tokens, config.cross_attention_dim),
        "guidance": torch.linspace(1, 7, batch).numpy(),
        "coefficients": coefficients.numpy(),
        "context": gaussian(4, *shape),
        "given": given.numpy(),
        **({"noise": gaussian(5, *shape), "memory": gaussian(6, *shape)} if extended else {}),
    }
