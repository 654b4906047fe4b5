"""Patched diffusers models give what they gave before."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet3DConditionModel, UNetMotionModel
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from framecast.kernels import switches
from framecast.kernels.patch import PATCHABLE, patch, to_channels_last, unpatch


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
        elif what == "position" and hasattr(module, "pe"):
            module.pe.mul_(0.99)
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
