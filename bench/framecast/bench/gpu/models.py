"""Models of the sizes that people run, with random weights made on the device: no download, no bundle."""

from typing import Any

import torch
from torch import Tensor, nn

from framecast.bench.gpu.scale import Scale
from framecast.kernels.guided_step.op import guided_step
from framecast.kernels.yuv420.op import yuv420

_TINY = {"block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4}
_UNETS: dict[str, dict[str, Any]] = {
    "full": {"cross_attention_dim": 768},  # the class's defaults are AnimateDiff's, but for Stable Diffusion 1.5's text
    "tiny": {
        **_TINY,
        "down_block_types": ("CrossAttnDownBlockMotion", "DownBlockMotion"),
        "up_block_types": ("UpBlockMotion", "CrossAttnUpBlockMotion"),
        "cross_attention_dim": 16,
        "num_attention_heads": 2,
        "motion_num_attention_heads": 2,
    },
}
_VAES: dict[str, dict[str, Any]] = {
    "full": {
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "block_out_channels": (128, 256, 512, 512),
        "layers_per_block": 2,
        "norm_num_groups": 32,
    },
    "tiny": {**_TINY, "down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2},
}
_PLANNERS: dict[str, dict[str, Any]] = {
    "full": {  # Qwen3-0.6B's config.json
        "vocab_size": 151936,
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "tie_word_embeddings": True,
    },
    "tiny": {
        "vocab_size": 64,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
    },
}
TEXT_TOKENS = 77


class Step(nn.Module):
    """A denoise step of AnimateDiff: the UNet, on both halves of guidance or without it, then the sampler's update.

    Attributes:
        guided: whether there are two halves. Models that were distilled to few steps, as AnimateDiff-Lightning, run
            without guidance (guidance 1).
    """

    def __init__(self, unet: Any, *, guided: bool = True) -> None:
        super().__init__()
        self.unet = unet
        self.guided = guided

    def forward(
        self, latents: Tensor, timestep: Tensor, states: Tensor, guidance: Tensor, coefficients: Tensor
    ) -> Tensor:
        """The next latents.

        Args:
            latents: [1, C, F, h, w].
            timestep: [1].
            states: [2 · F, T, D], the negative prompt's first, once a frame as the pipeline repeats them; [F, T, D]
                without guidance.
            guidance: float32 [1].
            coefficients: float32 [1, 4], see `guided_step`.
        """
        halves = 2 if self.guided else 1
        sample = torch.cat([latents] * halves)
        out = self.unet(sample, torch.cat([timestep] * halves), states, return_dict=False)[0]
        unconditional, conditional = out.chunk(2) if self.guided else (out, out)
        following: Tensor = guided_step(latents, unconditional, conditional, guidance, coefficients)[0]
        return following


class Decode(nn.Module):
    """Latents to the planes a video encoder takes."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.vae = vae
        self.scale = float(vae.config.scaling_factor)

    def forward(self, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """uint8 y [F, H, W], u and v [F, H/2, W/2] of latents [F, C, h, w]."""
        planes: tuple[Tensor, Tensor, Tensor] = yuv420(self.vae.decode(latents / self.scale, return_dict=False)[0])
        return planes


def step(scale: Scale, *, guided: bool = True) -> Step:
    """In float32. Raises ImportError without diffusers."""
    from diffusers import UNetMotionModel

    kind: Any = UNetMotionModel
    made: Step = _made(lambda: Step(kind(**_UNETS[scale.name]), guided=guided), scale)
    return made


def vae(scale: Scale) -> Decode:
    """In float32, without its encoder. Raises ImportError without diffusers."""
    from diffusers import AutoencoderKL

    kind: Any = AutoencoderKL

    def make() -> Decode:
        model = kind(latent_channels=4, **_VAES[scale.name])
        model.encoder, model.quant_conv = None, None
        return Decode(model)

    made: Decode = _made(make, scale)
    return made


def planner(scale: Scale) -> Any:
    """A Qwen3. Raises ImportError without transformers."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(**_PLANNERS[scale.name], max_position_embeddings=4096)
    return _made(lambda: Qwen3ForCausalLM(config), scale).to(getattr(torch, scale.dtype))


def step_inputs(scale: Scale, dtype: torch.dtype, *, guided: bool = True) -> tuple[Tensor, ...]:
    """Random arguments of `Step`."""
    device, width = torch.device(scale.device), _UNETS[scale.name]["cross_attention_dim"]
    make = torch.Generator(device).manual_seed(2)
    latents = torch.randn(1, 4, scale.frames, scale.latent_side, scale.latent_side, generator=make, device=device)
    states = torch.randn(1 + guided, TEXT_TOKENS, width, generator=make, device=device).repeat_interleave(
        scale.frames, dim=0
    )
    coefficients = torch.tensor([[0.98, -0.05, 0.0, 0.0]], device=device)
    guidance = torch.tensor([7.5 if guided else 1.0], device=device)
    return latents.to(dtype), torch.tensor([601], device=device), states.to(dtype), guidance, coefficients


def _made(make: Any, scale: Scale) -> Any:
    torch.manual_seed(0)
    with torch.device(scale.device):
        model = make().eval().requires_grad_(False)
    for parameter in model.parameters():
        if not parameter.any():
            parameter.normal_(std=0.02)  # layers that begin as zeros would hide a mistake
    return model
