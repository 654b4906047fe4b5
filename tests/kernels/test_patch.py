"""Patched diffusers models give what they gave before."""

import copy
import functools
import types
from collections.abc import Callable
from typing import Any

import pytest
import torch
from accelerate import cpu_offload
from diffusers.models.attention_processor import AttnProcessor2_0
from tests.support.tiny_networks import TOLERANCE, error, motion_unet, randomised, run
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from framecast.kernels import switches
from framecast.kernels.patch import PATCHABLE, patch, to_channels_last, unpatch
from framecast.kernels.patches.halves import share_halves


class _Calls(TorchDispatchMode):
    """Names of our ops in the order they run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function.namespace == "framecast":
            self.names.append(function._opname)
        return function(*args, **(kwargs or {}))


def test_gives_what_it_gave_before(model: tuple[nn.Module, tuple[Tensor, ...]]) -> None:
    network, inputs = model
    before, keys = run(network, inputs), list(network.state_dict())
    counts = patch(network)
    norms = sum(type(module) is nn.GroupNorm for module in network.modules())
    assert counts["group_norm_silu"] == norms
    assert patch(network) == dict.fromkeys(PATCHABLE, 0)  # again: nothing left to do
    assert list(network.state_dict()) == keys
    with _Calls() as calls:
        assert error(run(network, inputs), before) < TOLERANCE
    expected = {"group_norm_silu"} | ({"temporal_attention", "geglu"} if counts["geglu"] else set())
    assert expected <= set(calls.names)
    to_channels_last(network)
    assert error(run(network, inputs), before) < TOLERANCE
    unpatch(network)
    with _Calls() as calls:
        assert error(run(network, inputs), before) < TOLERANCE
    assert calls.names == []


@pytest.mark.parametrize("model", ["motion", "vae"], indirect=True)
def test_compiles_in_one_graph(model: tuple[nn.Module, tuple[Tensor, ...]]) -> None:
    """With our ops as single nodes in it, as many as run without a compiler."""
    network, inputs = model
    patch(network)
    with _Calls() as calls:
        before = run(network, inputs)
    graphs: list[torch.fx.GraphModule] = []

    def recorded(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable[..., Any]:
        graphs.append(graph)
        return graph

    torch.compiler.reset()
    compiled = torch.compile(network, fullgraph=True, backend=recorded)
    assert error(run(compiled, inputs), before) < TOLERANCE
    (graph,) = graphs
    called = [str(node.target) for node in graph.graph.nodes if node.op == "call_function"]
    assert sum("framecast" in name for name in called) == len(calls.names)


def test_every_switch(model: tuple[nn.Module, tuple[Tensor, ...]]) -> None:
    network, inputs = model
    before = run(network, inputs)
    patch(network)
    for op in PATCHABLE:
        with switches.off(op), _Calls() as calls:
            assert error(run(network, inputs), before) < TOLERANCE
        assert not any(name.endswith(op) for name in calls.names)
    with switches.off("all"), _Calls() as calls:
        assert torch.equal(run(network, inputs), before)
    assert calls.names == []


@pytest.mark.parametrize("what", ["eps", "position", "scale"])
def test_the_tolerance_can_fail(what: str) -> None:
    torch.manual_seed(0)
    network, inputs = motion_unet()
    randomised(network)
    before = run(network, inputs)
    patch(network)
    for module in network.modules():
        if what == "eps" and isinstance(module, nn.GroupNorm):
            module.eps *= 100
        elif what == "position" and hasattr(module, "position_table"):
            module.position_table.mul_(0.99)
        elif what == "scale" and hasattr(module, "scale") and hasattr(module, "to_q"):
            module.scale *= 1.01
    assert error(run(network, inputs), before) > 5 * TOLERANCE


def test_other_attention_arguments_take_the_original_path() -> None:
    torch.manual_seed(0)
    network, _ = motion_unet()
    randomised(network)
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
    assert error(ours, before) < TOLERANCE
    assert torch.equal(theirs, before)


def test_unknown_ops_are_refused() -> None:
    with pytest.raises(ValueError, match="yuv420 is not one of"):
        patch(nn.Linear(1, 1), ["yuv420"])


def test_what_others_put_on_a_module_is_kept() -> None:
    """Hooks and forwards of others are called; shared twice is shared once; a copy is a copy."""
    torch.manual_seed(0)
    model, (x, time, text) = motion_unet()
    network: Any = randomised(model)
    twice = (torch.cat([x, x]), time, torch.cat([text, text]))  # two clips in each half
    before = run(network, twice)
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
    assert error(run(network, twice), before) < TOLERANCE
    assert called == ["conv_in", "conv1", "upsampled"]
    empty = copy.deepcopy(network)
    for parameter in empty.parameters():
        parameter.data.zero_()
    ones = torch.ones(2, 16, 4, 4)
    with torch.no_grad():
        assert torch.equal(empty.down_blocks[0].resnets[0](ones, torch.ones(2, 64)), ones), "its weights are nothing"
    unpatch(network)
    called.clear()
    assert torch.equal(run(network, twice), before)
    assert called == ["conv_in", "conv1", "upsampled"]
    hook.remove()


HOOKED = (
    "down_blocks.0.resnets.0.norm1",
    "down_blocks.0.resnets.0.nonlinearity",
    "down_blocks.0.resnets.0.dropout",
    "conv_act",
    "conv_norm_out",
    "down_blocks.0.motion_modules.0.transformer_blocks.0.pos_embed",
    "down_blocks.0.motion_modules.0.norm",
    "down_blocks.0.motion_modules.0.transformer_blocks.0",
    "down_blocks.0.motion_modules.0.transformer_blocks.0.attn1",
    "down_blocks.0.motion_modules.0.transformer_blocks.0.attn2.to_v",
    "down_blocks.0.attentions.0.transformer_blocks.0.ff.net.0",
    "up_blocks.1.motion_modules.1.transformer_blocks.0.attn1.to_out.0",
)


@pytest.mark.parametrize("name", HOOKED)
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_what_a_hook_changes_inside_a_patched_module_is_changed(name: str, late: bool) -> None:
    """Whether it comes before the patch or after it, and no longer once it is gone."""
    torch.manual_seed(0)
    model, inputs = motion_unet()
    network: Any = randomised(model)
    plain = run(network, inputs)
    inner = network.get_submodule(name)

    def halve(_: nn.Module, __: Any, out: Tensor) -> Tensor:
        return out * 0.5

    with inner.register_forward_hook(halve):
        wanted = run(network, inputs)
    assert error(wanted, plain) > 5 * TOLERANCE
    if late:
        patch(network)
    with inner.register_forward_hook(halve):
        if not late:
            patch(network)
        assert error(run(network, inputs), wanted) < TOLERANCE
    with _Calls() as calls:
        assert error(run(network, inputs), plain) < TOLERANCE
    unpatch(network)
    patch(network)
    with _Calls() as afresh:
        run(network, inputs)
    assert calls.names == afresh.names


def test_a_forward_that_looks_like_ours_is_not(model: tuple[nn.Module, tuple[Tensor, ...]]) -> None:
    """`functools.wraps` gives a function everything that the one it wraps has."""
    network, inputs = model
    patch(network)
    norm: Any = next(module for module in network.modules() if isinstance(module, nn.GroupNorm))
    ours = norm.forward

    @functools.wraps(ours)
    def halved(self: nn.Module, x: Tensor) -> Tensor:
        return 0.5 * F.group_norm(x, norm.num_groups, norm.weight, norm.bias, norm.eps)

    norm.forward = types.MethodType(halved, norm)
    changed = run(network, inputs)
    unpatch(network)
    assert error(run(network, inputs), changed) < TOLERANCE, "it stays, and it was heard"
    del norm.forward
    assert error(run(network, inputs), changed) > 5 * TOLERANCE


def test_another_processor_attends_after_the_patch_too() -> None:
    class Half(AttnProcessor2_0):
        def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
            return super().__call__(*args, **kwargs) * 0.5

    torch.manual_seed(0)
    model, inputs = motion_unet()
    network: Any = randomised(model)
    own = network.attn_processors
    network.set_attn_processor(Half())
    wanted = run(network, inputs)
    network.set_attn_processor(own)
    patch(network)
    assert error(run(network, inputs), wanted) > 5 * TOLERANCE
    network.set_attn_processor(Half())
    assert error(run(network, inputs), wanted) < TOLERANCE


def test_weights_that_are_elsewhere_until_they_are_needed(model: tuple[nn.Module, tuple[Tensor, ...]]) -> None:
    """accelerate's offloading, of a model that is patched already."""
    network, inputs = model
    before = run(network, inputs)
    patch(network)
    cpu_offload(network, torch.device("cpu"))
    assert next(network.parameters()).is_meta
    assert error(run(network, inputs), before) < TOLERANCE


def test_under_autocast_and_with_other_borders() -> None:
    torch.manual_seed(0)
    model, inputs = motion_unet()
    network = randomised(model)
    with torch.autocast("cpu", torch.bfloat16):
        before = run(network, inputs)
        patch(network)
        assert error(run(network, inputs).float(), before.float()) < 0.1
    unpatch(network)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.padding_mode = "circular"
            module._reversed_padding_repeated_twice = [1, 1, 1, 1] if module.kernel_size == (3, 3) else [0, 0, 0, 0]
    before = run(network, inputs)
    assert patch(network)["upsample_conv"] == 0
    assert error(run(network, inputs), before) < TOLERANCE
