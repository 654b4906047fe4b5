"""Tiny diffusers networks with no weight that is zero, and how far two results are apart."""

from collections.abc import Callable

import torch
from diffusers import AutoencoderKL, UNet3DConditionModel, UNetMotionModel
from torch import Tensor, nn

TOLERANCE = 2e-5  # of the largest value; float32 in another order. What is wrong is off by far more: see test_patch.py.


def randomised(model: nn.Module) -> nn.Module:
    """No weight is zero: layers that start as the identity would hide what is wrong in front of them."""
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.25)
    return model.eval()


def motion_unet(
    channels: tuple[int, int] = (16, 32), *, text: int = 12, groups: int = 4
) -> tuple[nn.Module, tuple[Tensor, ...]]:
    model = UNetMotionModel(
        block_out_channels=channels,
        down_block_types=("CrossAttnDownBlockMotion", "DownBlockMotion"),
        up_block_types=("UpBlockMotion", "CrossAttnUpBlockMotion"),
        cross_attention_dim=text,
        num_attention_heads=2,
        motion_num_attention_heads=2,
        motion_max_seq_length=8,
        layers_per_block=1,
        norm_num_groups=groups,
    )
    return model, (torch.randn(2, 4, 3, 8, 12), torch.tensor(7), torch.randn(6, 5, text))


def unet_3d() -> tuple[nn.Module, tuple[Tensor, ...]]:
    model = UNet3DConditionModel(
        down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
        up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
        block_out_channels=(8, 16),
        layers_per_block=1,
        cross_attention_dim=16,
        attention_head_dim=4,
        norm_num_groups=4,
    )
    return model, (torch.randn(2, 4, 5, 8, 4), torch.tensor(7), torch.randn(2, 5, 16))


class _Autoencoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.vae = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=(8, 16),
            norm_num_groups=4,
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.vae.decode(self.vae.encode(x).latent_dist.mean, return_dict=False)


def autoencoder() -> tuple[nn.Module, tuple[Tensor, ...]]:
    return _Autoencoder(), (torch.randn(2, 3, 12, 8),)


MODELS: dict[str, Callable[[], tuple[nn.Module, tuple[Tensor, ...]]]] = {
    "motion": motion_unet,
    "unet3d": unet_3d,
    "vae": autoencoder,
}


def run(model: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    with torch.no_grad():
        return model(*inputs)[0]


def error(out: Tensor, reference: Tensor) -> float:
    return ((out - reference).abs().max() / reference.abs().max()).item()
