"""The patches that are called by name: halves of guidance, biases, attention, projections, e4m3."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL
from tests.support.tiny_networks import TOLERANCE, error, motion_unet, randomised, run, unet_3d
from torch import Tensor, nn

from framecast.kernels import switches
from framecast.kernels.patch import patch, unpatch
from framecast.kernels.patches.attention import is_joint, projections
from framecast.kernels.patches.bias import loosen_biases
from framecast.kernels.patches.fp8 import patch_fp8
from framecast.kernels.patches.halves import share_halves, shared_halves
from framecast.kernels.patches.joint import join_projections
from framecast.kernels.patches.packed import in_fp8
from framecast.kernels.patches.wide_attention import patch_wide_attention


class _Rows:
    """How many rows a module is called on."""

    def __init__(self, module: nn.Module) -> None:
        self.seen: list[int] = []
        self._module = module

    def __enter__(self) -> "_Rows":
        self._hook = self._module.register_forward_hook(lambda _, inputs, __: self.seen.append(inputs[0].shape[0]))
        return self

    def __exit__(self, *error: Any) -> None:
        self._hook.remove()


def test_halves_of_guidance_that_are_alike_are_computed_once() -> None:
    """Every model gives what it gave, with half the rows in front of the first cross-attention."""
    torch.manual_seed(0)
    for make in (motion_unet, unet_3d):
        model, (x, time, text) = make()
        network: Any = randomised(model)
        twice = (torch.cat([x[:1], x[:1]]), time, text)
        before = run(network, twice)
        with _Rows(network.down_blocks[0].resnets[0].conv1) as rows:
            run(network, twice)
            with shared_halves(network):
                assert error(run(network, twice), before) < TOLERANCE
        assert rows.seen[0] == 2 * rows.seen[1]
        assert torch.equal(run(network, twice), before)
        patch(network)
        assert share_halves(network) >= 6
        assert error(run(network, twice), before) < TOLERANCE
        other = (torch.cat([x[:1], x[:1] + 1]), time, text)
        assert error(run(network, other), before) < TOLERANCE, "the second half is not looked at"
        unpatch(network)
        assert torch.equal(run(network, twice), before)


@pytest.mark.parametrize("patched", [True, False], ids=["a switch off", "no patch"])
def test_loose_biases_of_layers_that_diffusers_calls(patched: bool) -> None:
    """By the argument's name, in motion modules."""
    torch.manual_seed(0)
    model, inputs = motion_unet()
    network = randomised(model)
    before = run(network, inputs)
    if patched:
        patch(network)
    assert loosen_biases(network)
    with switches.off("temporal_attention"):
        assert error(run(network, inputs), before) < TOLERANCE


def test_loose_biases_are_added_after_the_product() -> None:
    torch.manual_seed(0)
    model, inputs = motion_unet()
    network = randomised(model)
    before = run(network, inputs)
    patch(network)
    assert loosen_biases(network) == sum(
        5 if type(module).__name__ == "AnimateDiffTransformer3D" else 3
        for module in network.modules()
        if type(module).__name__ in ("AnimateDiffTransformer3D", "Transformer2DModel")
    )
    assert loosen_biases(network) == 0
    assert error(run(network, inputs), before) < TOLERANCE
    graphs: list[str] = []

    def recorded(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable[..., Any]:
        graphs.append(graph.code)
        return graph

    layer = next(module for module in network.modules() if type(module).__name__ == "FeedForward")
    torch.compiler.reset()
    torch.compile(layer.get_submodule("net.2"), backend=recorded)(torch.randn(2, 3, 64))
    assert "torch._C._nn.linear" in graphs[0]
    assert "linear + " in graphs[0], "the addition is a node of its own"
    unpatch(network)
    assert torch.equal(run(network, inputs), before)


def test_wide_attention_is_two_products() -> None:
    torch.manual_seed(0)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 512),
        norm_num_groups=4,
    ).eval()
    latents = torch.randn(2, 4, 6, 5)
    with torch.no_grad():
        before = vae.decode(latents, return_dict=False)[0]
        assert patch_wide_attention(vae) == 2  # the encoder has one too
        assert patch_wide_attention(vae) == 0
        assert error(vae.decode(latents, return_dict=False)[0], before) < TOLERANCE
        attention: Any = vae.decoder.mid_block
        attention.attentions[0].scale *= 1.1
        assert error(vae.decode(latents, return_dict=False)[0], before) > 5 * TOLERANCE
        unpatch(vae)
        assert torch.equal(vae.decode(latents, return_dict=False)[0], before)


def _self_attentions(network: nn.Module) -> list[Any]:
    return [m for m in network.modules() if type(m).__name__ == "Attention" and not m.is_cross_attention]


@pytest.mark.parametrize("patched", [False, True], ids=["alone", "with our ops"])
def test_projections_are_one_product(model: tuple[nn.Module, tuple[Tensor, ...]], patched: bool) -> None:
    """Of every self-attention: their layers are not called any more. What they were told is heard."""
    network, inputs = model
    before, keys = run(network, inputs), list(network.state_dict())
    if patched:
        patch(network)
        patch_wide_attention(network)
    attentions = [attention for attention in _self_attentions(network) if attention.group_norm is None]
    assert join_projections(network) == len(attentions)
    assert join_projections(network) == 0
    layers = {layer: None for attention in attentions for layer in projections(attention)}
    multiply, called = nn.Linear.forward, set()
    with pytest.MonkeyPatch.context() as patched_torch:
        patched_torch.setattr(nn.Linear, "forward", lambda self, input: (called.add(self), multiply(self, input))[1])
        assert error(run(network, inputs), before) < TOLERANCE
    assert called
    assert not called & layers.keys()
    assert list(network.state_dict()) == keys
    for layer in list(layers)[2:3]:  # of values
        with layer.register_forward_hook(lambda _, __, out: out * 1.1):
            assert error(run(network, inputs), before) > 5 * TOLERANCE, "what others put on a layer later is heard"
    for attention in attentions[:1]:
        attention.weight_qkv[-1] *= 1.1
        assert error(run(network, inputs), before) > 5 * TOLERANCE
    unpatch(network)
    assert torch.equal(run(network, inputs), before)
    assert not any(map(is_joint, network.modules()))


def test_what_is_hooked_or_masked_is_not_joint() -> None:
    torch.manual_seed(0)
    network, inputs = motion_unet()
    randomised(network)
    first, second, *_ = _self_attentions(network)
    tokens, mask = torch.randn(2, 5, first.to_q.in_features), torch.zeros(2, 1, 5)
    mask[:, :, 3:] = -1e4
    with torch.no_grad():
        masked = first(tokens, attention_mask=mask)
        called: list[str] = []
        second.to_k.register_forward_hook(lambda *_: called.append("to_k"))
        before = run(network, inputs)
        join_projections(network)
        assert is_joint(first)
        assert not is_joint(second)
        assert torch.equal(first(tokens, attention_mask=mask), masked)
    assert error(run(network, inputs), before) < TOLERANCE
    assert len(called) == 2


@pytest.mark.parametrize("joint", [False, True], ids=["three products", "one"])
def test_products_in_e4m3_are_near_and_taken_back(joint: bool) -> None:
    torch.manual_seed(0)
    network, inputs = motion_unet((128, 256), text=16, groups=8)
    network.eval()
    before, keys = run(network, inputs), list(network.state_dict())
    patch(network)
    joined = join_projections(network) if joint else 0
    resnets = sum(type(module).__name__ == "ResnetBlock2D" for module in network.modules())
    layers = patch_fp8(network)
    assert sum(map(in_fp8, network.modules())) == layers - 2 * joined
    assert sum(in_fp8(attention) for attention in _self_attentions(network)) == joined
    assert sum(in_fp8(module) for module in network.modules() if isinstance(module, nn.Conv2d)) == 2 * resnets
    assert patch_fp8(network) == 2 * resnets  # packed anew; what is replaced stays
    assert list(network.state_dict()) == keys
    out = run(network, inputs)
    snr = 10 * torch.log10(before.square().mean() / (out - before).square().mean())
    assert 20 < snr < 60, "three bits after the first, and not the same"
    unpatch(network)
    assert torch.equal(run(network, inputs), before)
    assert not any(map(in_fp8, network.modules()))
