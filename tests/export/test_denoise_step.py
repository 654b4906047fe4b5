"""Both halves of guidance are alike until the text is heard, and that much is computed once."""

from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel, UNet3DConditionModel, UNetMotionModel

from framecast.export.graphs.denoise_step import DenoiseStep

_SMALL: dict[str, Any] = {
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "cross_attention_dim": 16,
    "norm_num_groups": 4,
}
_PICTURES: dict[str, Any] = {
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "attention_head_dim": 4,
}
FAMILIES: dict[str, tuple[type, dict[str, Any]]] = {
    "clips, text after a block": (
        UNet3DConditionModel,
        {
            "down_block_types": ("DownBlock3D", "CrossAttnDownBlock3D"),
            "up_block_types": ("CrossAttnUpBlock3D", "UpBlock3D"),
            "attention_head_dim": 4,
        },
    ),
    "motion, text in the first block": (
        UNetMotionModel,
        {
            "down_block_types": ("CrossAttnDownBlockMotion", "DownBlockMotion"),
            "up_block_types": ("UpBlockMotion", "CrossAttnUpBlockMotion"),
            "num_attention_heads": 2,
            "motion_num_attention_heads": 2,
        },
    ),
    "pictures": (UNet2DConditionModel, _PICTURES),
    "pictures that hear the text at once": (UNet2DConditionModel, {**_PICTURES, "only_cross_attention": True}),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_convolution_sees_one_half(family: str) -> None:
    torch.manual_seed(0)
    kind, options = FAMILIES[family]
    unet: Any = kind(**_SMALL, **options).eval()
    for parameter in unet.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    latents = torch.randn(3, 2, 4, 8, 8)
    inputs = (latents, torch.full((3,), 7.0), torch.randn(3, 5, 16), torch.randn(3, 5, 16), torch.tensor([1.0, 3, 7]))
    rest = (torch.tensor([[1.0, 0.9, -0.4]] * 3), torch.zeros_like(latents), torch.zeros(3, 2))
    rows: list[int] = []
    convolve = unet.conv_in._conv_forward
    unet.conv_in._conv_forward = lambda x, *weights: (rows.append(x.shape[0]), convolve(x, *weights))[1]
    with torch.no_grad():
        found = [DenoiseStep(unet, shared=shared).eval()(*inputs, *rest)[0] for shared in (False, True)]
    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=1e-5)
    assert rows[0] == 2 * rows[1]
    assert not any("forward" in module.__dict__ for module in unet.modules()), "it is as it was"
