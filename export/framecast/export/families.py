"""The model families that people run, and how each one's UNet and pipeline want to be called.

A family is a way of laying frames out: clips with time inside the UNet (TextToVideoSD), clips whose UNet wants the text
once a frame (AnimateDiff), and single pictures (Stable Diffusion), shown as a slide show.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from framecast.errors import InvalidRepository


@dataclass(frozen=True)
class Family:
    """One way of laying frames out.

    Attributes:
        name: for people.
        unet: diffusers' class of the UNet.
        still: every scene is one picture; all its latents are the first one.
        call: (unet, sample [B, C, F, h, w], timestep [B], states [B, T, D]) → output [B, C, F, h, w].
        to_pipeline: latents or noise [F, C, h, w] as the pipeline's `latents` argument takes them.
        to_scheduler: noise [F, C, h, w] as the pipeline's scheduler sees its latents.
        from_pipeline: the pipeline's latent output → [F, C, h, w].
    """

    name: str
    unet: str
    still: bool
    call: Callable[[Any, Tensor, Tensor, Tensor], Tensor]
    to_pipeline: Callable[[Tensor], Tensor]
    to_scheduler: Callable[[Tensor], Tensor]
    from_pipeline: Callable[[Any], Tensor]

    def arguments(self, frames: int) -> dict[str, int]:
        """What the pipeline's call needs to know of the length."""
        return {} if self.still else {"num_frames": frames}


def _clip(unet: Any, sample: Tensor, timestep: Tensor, states: Tensor) -> Tensor:
    out: Tensor = unet(sample, timestep, states).sample
    return out


def _clip_with_text_a_frame(unet: Any, sample: Tensor, timestep: Tensor, states: Tensor) -> Tensor:
    out: Tensor = unet(sample, timestep, states.repeat_interleave(sample.shape[2], dim=0)).sample
    return out


def _still(unet: Any, sample: Tensor, timestep: Tensor, states: Tensor) -> Tensor:
    out: Tensor = unet(sample[:, :, 0], timestep, states).sample
    return out[:, :, None].expand_as(sample)


def _as_clip(latents: Tensor) -> Tensor:
    return latents.transpose(0, 1)[None]  # [1, C, F, h, w]


def _first(latents: Tensor) -> Tensor:
    return latents[:1]  # [1, C, h, w]


TEXT_TO_VIDEO = Family(
    "TextToVideoSD",
    "UNet3DConditionModel",
    False,
    _clip,
    _as_clip,
    lambda noise: noise,
    lambda out: out.frames[0].transpose(0, 1),
)
ANIMATE_DIFF = Family(
    "AnimateDiff",
    "UNetMotionModel",
    False,
    _clip_with_text_a_frame,
    _as_clip,
    _as_clip,
    lambda out: out.frames[0].transpose(0, 1),
)
STABLE_DIFFUSION = Family(
    "Stable Diffusion",
    "UNet2DConditionModel",
    True,
    _still,
    _first,
    _first,
    lambda out: out.images,
)
FAMILIES = {family.unet: family for family in (TEXT_TO_VIDEO, ANIMATE_DIFF, STABLE_DIFFUSION)}


def family_of(unet: Any) -> Family:
    """The family of a loaded UNet.

    Raises:
        InvalidRepository: it is of no family we serve, or wants inputs that a story does not give.
    """
    name = type(unet).__name__
    if name not in FAMILIES:
        raise InvalidRepository(f"The UNet is a {name}; served are {', '.join(FAMILIES)}.")
    for key in ("time_cond_proj_dim", "class_embed_type", "addition_embed_type", "encoder_hid_dim_type"):
        if getattr(unet.config, key, None):
            raise InvalidRepository(
                f"The UNet's config has {key} = {getattr(unet.config, key)!r}: it wants an input that is not served."
            )
    return FAMILIES[name]
