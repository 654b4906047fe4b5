"""Patched diffusers models give what they gave before."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet3DConditionModel, UNetMotionModel
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from framecast.kernels import switches
from framecast.kernels.patch import PATCHABLE, patch, to_channels_last, unpatch
from framecast.kernels.patches.attention import is_joint, projections
from framecast.kernels.patches.bias import loosen_biases
from framecast.kernels.patches.fp8 import patch_fp8
from framecast.kernels.patches.halves import share_halves, shared_halves
from framecast.kernels.patches.joint import join_projections
from framecast.kernels.patches.packed import in_fp8
from framecast.kernels.patches.wide_attention import patch_wide_attention


class _Calls(TorchDispatchMode):
    """Names of our ops in the order they run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function.namespace == "framecast":
            self.names.append(function._opname)
        return function(*args, **(kwargs or {}))


def _randomised(model: nn.Module) -> nn.Module:
    """No weight is zero: layers that start as the identity would hide what is wrong in front of them."""
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.25)
    return model.eval()


def _motion() -> tuple[nn.Module, tuple[Tensor, ...]]:
    model = UNetMotionModel(
        block_out_channels=(16, 32),
        down_block_types=("CrossAttnDownBlockMotion", "DownBlockMotion"),
        up_block_types=("UpBlockMotion", "CrossAttnUpBlockMotion"),
        cross_attention_dim=12,
        num_attention_heads=2,
        motion_num_attention_heads=2,
        motion_max_seq_length=8,
        layers_per_block=1,
        norm_num_groups=4,
    )
    return model, (torch.randn(2, 4, 3, 8, 12), torch.tensor(7), torch.randn(6, 5, 12))


def _unet3d() -> tuple[nn.Module, tuple[Tensor, ...]]:
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


def _vae() -> tuple[nn.Module, tuple[Tensor, ...]]:
    return _Autoencoder(), (torch.randn(2, 3, 12, 8),)


MODELS: dict[str, Callable[[], tuple[nn.Module, tuple[Tensor, ...]]]] = {
    "motion": _motion,
    "unet3d": _unet3d,
    "vae": _vae,
}


def _run(model: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    with torch.no_grad():
        return model(*inputs)[0]


def _error(out: Tensor, reference: Tensor) -> float:
    return ((out - reference).abs().max() / reference.abs().max()).item()


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> tuple[nn.Module, tuple[Tensor, ...]]:
    torch.manual_seed(0)
    model, inputs = MODELS[request.param]()
    return _randomised(model), inputs


TOLERANCE = 2e-5  # of the largest value; float32 in another order. What is wrong is off by far more: see below.


def test_gives_what_it_gave_before(model: tuple[nn.Module, tuple[Tensor, ...]]) -> None:
    network, inputs = model
    before, keys = _run(network, inputs), list(network.state_dict())
    counts = patch(network)
    norms = sum(type(module) is nn.GroupNorm for module in network.modules())
    assert counts["group_norm_silu"] == norms
    assert patch(network) == dict.fromkeys(PATCHABLE, 0)  # again: nothing left to do
    assert list(network.state_dict()) == keys
    with _Calls() as calls:
        assert _error(_run(network, inputs), before) < TOLERANCE
    expected = {"group_norm_silu"} | ({"temporal_attention", "geglu"} if counts["geglu"] else set())
    assert expected <= set(calls.names)
    to_channels_last(network)
    assert _error(_run(network, inputs), before) < TOLERANCE
    unpatch(network)
    with _Calls() as calls:
        assert _error(_run(network, inputs), before) < TOLERANCE
    assert calls.names == []


@pytest.mark.parametrize("model", ["motion", "vae"], indirect=True)
def test_compiles_in_one_graph(model: tuple[nn.Module, tuple[Tensor, ...]]) -> None:
    """With our ops as single nodes in it, as many as run without a compiler."""
    network, inputs = model
    patch(network)
    with _Calls() as calls:
        before = _run(network, inputs)
    graphs: list[torch.fx.GraphModule] = []

    def recorded(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable[..., Any]:
        graphs.append(graph)
        return graph

    torch.compiler.reset()
    compiled = torch.compile(network, fullgraph=True, backend=recorded)
    assert _error(_run(compiled, inputs), before) < TOLERANCE
    (graph,) = graphs
    called = [str(node.target) for node in graph.graph.nodes if node.op == "call_function"]
    assert sum("framecast" in name for name in called) == len(calls.names)


def test_every_switch(model: tuple[nn.Module, tuple[Tensor, ...]]) -> None:
    network, inputs = model
    before = _run(network, inputs)
    patch(network)
    for op in PATCHABLE:
        with switches.off(op), _Calls() as calls:
            assert _error(_run(network, inputs), before) < TOLERANCE
        assert not any(name.endswith(op) for name in calls.names)
    with switches.off(), _Calls() as calls:
        assert torch.equal(_run(network, inputs), before)
    assert calls.names == []


@pytest.mark.parametrize("what", ["eps", "position", "scale"])
def test_the_tolerance_can_fail(what: str) -> None:
    torch.manual_seed(0)
    network, inputs = _motion()
    _randomised(network)
    before = _run(network, inputs)
    patch(network)
    for module in network.modules():
        if what == "eps" and isinstance(module, nn.GroupNorm):
            module.eps *= 100
        elif what == "position" and hasattr(module, "position_table"):
            module.position_table.mul_(0.99)
        elif what == "scale" and hasattr(module, "scale") and hasattr(module, "to_q"):
            module.scale *= 1.01
    assert _error(_run(network, inputs), before) > 5 * TOLERANCE


def test_other_attention_arguments_take_the_original_path() -> None:
    torch.manual_seed(0)
    network, _ = _motion()
    _randomised(network)
    transformer = next(module for module in network.modules() if type(module).__name__ == "AnimateDiffTransformer3D")
    x = torch.randn(6, int(transformer.in_channels), 4, 4)
    with torch.no_grad():
        before = transformer(x, num_frames=3)
        patch(network, ["temporal_attention"])
        with _Calls() as calls:
            ours = transformer(x, num_frames=3)
        with _Calls() as others:
            theirs = transformer(x, num_frames=3, cross_attention_kwargs={"scale": None})
    assert calls.names.count("temporal_attention") == 2
    assert "temporal_attention" not in others.names
    assert _error(ours, before) < TOLERANCE
    assert torch.equal(theirs, before)


def test_unknown_ops_are_refused() -> None:
    with pytest.raises(ValueError, match="yuv420 is not one of"):
        patch(nn.Linear(1, 1), ["yuv420"])


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
    for make in (_motion, _unet3d):
        model, (x, time, text) = make()
        network: Any = _randomised(model)
        twice = (torch.cat([x[:1], x[:1]]), time, text)
        before = _run(network, twice)
        with _Rows(network.down_blocks[0].resnets[0].conv1) as rows:
            _run(network, twice)
            with shared_halves(network):
                assert _error(_run(network, twice), before) < TOLERANCE
        assert rows.seen[0] == 2 * rows.seen[1]
        assert torch.equal(_run(network, twice), before)
        patch(network)
        assert share_halves(network) >= 6
        assert _error(_run(network, twice), before) < TOLERANCE
        other = (torch.cat([x[:1], x[:1] + 1]), time, text)
        assert _error(_run(network, other), before) < TOLERANCE, "the second half is not looked at"
        unpatch(network)
        assert torch.equal(_run(network, twice), before)


def test_loose_biases_are_added_after_the_product() -> None:
    torch.manual_seed(0)
    model, inputs = _motion()
    network = _randomised(model)
    before = _run(network, inputs)
    patch(network)
    assert loosen_biases(network) == sum(
        5 if type(module).__name__ == "AnimateDiffTransformer3D" else 3
        for module in network.modules()
        if type(module).__name__ in ("AnimateDiffTransformer3D", "Transformer2DModel")
    )
    assert loosen_biases(network) == 0
    assert _error(_run(network, inputs), before) < TOLERANCE
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
    assert torch.equal(_run(network, inputs), before)


def test_what_others_put_on_a_module_is_kept() -> None:
    """Hooks and forwards of others are called; shared twice is shared once; a copy is a copy."""
    torch.manual_seed(0)
    model, (x, time, text) = _motion()
    network: Any = _randomised(model)
    twice = (torch.cat([x, x]), time, torch.cat([text, text]))  # two clips in each half
    before = _run(network, twice)
    called: list[str] = []
    block = network.down_blocks[0].resnets[0]
    hook = block.conv1.register_forward_hook(lambda *_: called.append("conv1"))
    upsampled = next(module for module in network.modules() if type(module).__name__ == "Upsample2D").conv
    plain = upsampled.forward
    upsampled.forward = lambda value: (called.append("upsampled"), plain(value))[1]
    theirs = network.conv_in.forward
    network.conv_in.forward = lambda value: (called.append("conv_in"), theirs(value))[1]
    patch(network)
    share_halves(network)
    share_halves(network)
    assert _error(_run(network, twice), before) < TOLERANCE
    assert called == ["conv_in", "conv1", "upsampled"]
    empty = copy.deepcopy(network)
    for parameter in empty.parameters():
        parameter.data.zero_()
    ones = torch.ones(2, 16, 4, 4)
    with torch.no_grad():
        assert torch.equal(empty.down_blocks[0].resnets[0](ones, torch.ones(2, 64)), ones), "its weights are nothing"
    unpatch(network)
    called.clear()
    assert torch.equal(_run(network, twice), before)
    assert called == ["conv_in", "conv1", "upsampled"]
    hook.remove()


def test_under_autocast_and_with_other_borders() -> None:
    torch.manual_seed(0)
    model, inputs = _motion()
    network = _randomised(model)
    with torch.autocast("cpu", torch.bfloat16):
        before = _run(network, inputs)
        patch(network)
        assert _error(_run(network, inputs).float(), before.float()) < 0.1
    unpatch(network)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.padding_mode = "circular"
            module._reversed_padding_repeated_twice = [1, 1, 1, 1] if module.kernel_size == (3, 3) else [0, 0, 0, 0]
    before = _run(network, inputs)
    assert patch(network)["upsample_conv"] == 0
    assert _error(_run(network, inputs), before) < TOLERANCE


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
        assert _error(vae.decode(latents, return_dict=False)[0], before) < TOLERANCE
        attention: Any = vae.decoder.mid_block
        attention.attentions[0].scale *= 1.1
        assert _error(vae.decode(latents, return_dict=False)[0], before) > 5 * TOLERANCE
        unpatch(vae)
        assert torch.equal(vae.decode(latents, return_dict=False)[0], before)


def _self_attentions(network: nn.Module) -> list[Any]:
    return [m for m in network.modules() if type(m).__name__ == "Attention" and not m.is_cross_attention]


@pytest.mark.parametrize("patched", [False, True], ids=["alone", "with our ops"])
def test_projections_are_one_product(model: tuple[nn.Module, tuple[Tensor, ...]], patched: bool) -> None:
    """Of every self-attention: their layers are not called any more. What they were told is heard."""
    network, inputs = model
    before, keys = _run(network, inputs), list(network.state_dict())
    if patched:
        patch(network)
        patch_wide_attention(network)
    attentions = [attention for attention in _self_attentions(network) if attention.group_norm is None]
    assert join_projections(network) == len(attentions)
    assert join_projections(network) == 0
    called: list[str] = []
    hooks = [
        layer.register_forward_hook(lambda *_: called.append("a layer"))
        for attention in attentions
        for layer in projections(attention)
    ]
    assert _error(_run(network, inputs), before) < TOLERANCE
    assert called == []
    assert list(network.state_dict()) == keys
    for hook in hooks:
        hook.remove()
    for attention in attentions[:1]:
        attention.weight_qkv[-1] *= 1.1
        assert _error(_run(network, inputs), before) > 5 * TOLERANCE
    unpatch(network)
    assert torch.equal(_run(network, inputs), before)
    assert not any(map(is_joint, network.modules()))


def test_what_is_hooked_or_masked_is_not_joint() -> None:
    torch.manual_seed(0)
    network, inputs = _motion()
    _randomised(network)
    first, second, *_ = _self_attentions(network)
    tokens, mask = torch.randn(2, 5, first.to_q.in_features), torch.zeros(2, 1, 5)
    mask[:, :, 3:] = -1e4
    with torch.no_grad():
        masked = first(tokens, attention_mask=mask)
        called: list[str] = []
        second.to_k.register_forward_hook(lambda *_: called.append("to_k"))
        before = _run(network, inputs)
        join_projections(network)
        assert is_joint(first)
        assert not is_joint(second)
        assert torch.equal(first(tokens, attention_mask=mask), masked)
    assert _error(_run(network, inputs), before) < TOLERANCE
    assert len(called) == 2


@pytest.mark.parametrize("joint", [False, True], ids=["three products", "one"])
def test_products_in_e4m3_are_near_and_taken_back(joint: bool) -> None:
    torch.manual_seed(0)
    network = UNetMotionModel(
        block_out_channels=(128, 256),
        down_block_types=("CrossAttnDownBlockMotion", "DownBlockMotion"),
        up_block_types=("UpBlockMotion", "CrossAttnUpBlockMotion"),
        cross_attention_dim=16,
        num_attention_heads=2,
        motion_num_attention_heads=2,
        layers_per_block=1,
        norm_num_groups=8,
    ).eval()
    inputs = (torch.randn(2, 4, 3, 8, 8), torch.tensor(7), torch.randn(6, 5, 16))
    before, keys = _run(network, inputs), list(network.state_dict())
    patch(network)
    joined = join_projections(network) if joint else 0
    resnets = sum(type(module).__name__ == "ResnetBlock2D" for module in network.modules())
    layers = patch_fp8(network)
    assert sum(map(in_fp8, network.modules())) == layers - 2 * joined
    assert sum(in_fp8(attention) for attention in _self_attentions(network)) == joined
    assert sum(in_fp8(module) for module in network.modules() if isinstance(module, nn.Conv2d)) == 2 * resnets
    assert patch_fp8(network) == 2 * resnets  # packed anew; what is replaced stays
    assert list(network.state_dict()) == keys
    out = _run(network, inputs)
    snr = 10 * torch.log10(before.square().mean() / (out - before).square().mean())
    assert 20 < snr < 60, "three bits after the first, and not the same"
    unpatch(network)
    assert torch.equal(_run(network, inputs), before)
    assert not any(map(in_fp8, network.modules()))
