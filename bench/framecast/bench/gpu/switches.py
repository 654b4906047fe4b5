"""Every optimisation of a denoise step and a decode, each with an off switch, and the ladders that replay them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import nn

from framecast.bench.gpu.models import Step
from framecast.kernels import switches as kernel_switches
from framecast.kernels.patch import PATCHABLE, patch, to_channels_last, unpatch
from framecast.kernels.patches.bias import loosen_biases
from framecast.kernels.patches.fp8 import patch_fp8
from framecast.kernels.patches.halves import share_halves
from framecast.kernels.patches.joint import join_projections
from framecast.kernels.patches.wide_attention import patch_wide_attention


@dataclass(frozen=True)
class Switches:
    """What is on.

    Attributes:
        channels_last: convolution weights, and so activations, in channels-last memory.
        group_norm_silu, temporal_attention, geglu, upsample_conv, guided_step, yuv420: our op in the place of torch's.
        wide_attention: the VAE's attention as two products, for flash attention does not take heads of 512.
        joint_projections: query, key and value of self-attention as one product.
        shared_halves: both halves of guidance are computed once until the text is heard.
        compile: torch.compile.
        regional: block by block: blocks of one shape are compiled once, in a third of the time; the CUDA graph around
            them makes up for what is called in between.
        loose_bias: biases are added where something is added anyway, not inside the product, which is slower with one.
            Only with `compile`.
        cuda_graph: the whole step is one CUDA graph; elsewhere than on CUDA it says nothing.
        fp8: products in e4m3 where it pays. The only one that changes the result, so it is off unless asked for.
    """

    channels_last: bool = True
    group_norm_silu: bool = True
    temporal_attention: bool = True
    geglu: bool = True
    upsample_conv: bool = True
    guided_step: bool = True
    yuv420: bool = True
    wide_attention: bool = True
    joint_projections: bool = True
    shared_halves: bool = True
    compile: bool = True
    regional: bool = True
    loose_bias: bool = True
    cuda_graph: bool = True
    fp8: bool = False

    @property
    def ops(self) -> tuple[str, ...]:
        """Our ops that are on."""
        return tuple(op for op in kernel_switches.OPS if getattr(self, op))

    @classmethod
    def none(cls) -> "Switches":
        """Everything off: torch in eager mode."""
        return cls(**{field.name: False for field in fields(cls)})


NAMES = tuple(field.name for field in fields(Switches))
_OFF, _ON = Switches.none(), Switches()


@dataclass(frozen=True)
class Rung:
    """A set of switches with a name."""

    name: str
    switches: Switches


EAGER = Rung("eager", _OFF)
PLAIN_COMPILE = Rung("compile", replace(_OFF, channels_last=True, compile=True, cuda_graph=True))
UNCOMPILED = Rung("ours without compile", replace(_ON, compile=False))
OURS = Rung("ours", _ON)
FP8 = Rung("ours, fp8", replace(_ON, fp8=True))


def climbing() -> tuple[Rung, ...]:
    """Everything off, then one more on at a time; what compiles late, for it takes longest, and fp8 last."""
    rungs, now = [Rung("eager", _OFF)], _OFF
    last = ("compile", "regional", "loose_bias", "fp8")
    order = ("cuda_graph", *(name for name in NAMES if name not in ("cuda_graph", *last)), *last)
    for name in order:
        now = replace(now, **{name: True})
        rungs.append(Rung(f"+ {name}", now))
    return tuple(rungs)


def leaving_out(*, compiled: bool) -> tuple[Rung, ...]:
    """Everything on but one; without `compiled` none of them compiles, which is what takes the time.

    Names tell the two apart.
    """
    full = replace(_ON, compile=compiled)
    names = [
        name for name in NAMES if name != "fp8" and (compiled or name not in ("compile", "regional", "loose_bias"))
    ]
    added = ", compiled" if compiled else ""
    left = (Rung(f"all but {name}{added}", replace(full, **{name: False})) for name in names)
    return (Rung(f"all{added}", full), *left)


_REGIONS = ("ResnetBlock2D", "Transformer2DModel", "AnimateDiffTransformer3D", "Attention", "Downsample2D")


@contextmanager
def applied(
    module: nn.Module, switches: Switches, *, compile_: bool = True, traced: set[str] | None = None
) -> Iterator[Any]:
    """`module` with the switches set, as something to call; afterwards it is as diffusers made it.

    Args:
        module: its submodules are patched in place.
        switches: see `Switches`; `cuda_graph` is for whoever calls.
        compile_: False makes torch.compile's call and lets it do nothing.
        traced: takes the names of our ops in what is compiled, as it is compiled.
    """
    off = tuple(op for op in kernel_switches.OPS if op not in switches.ops)
    try:
        _patch(module, switches)
        with kernel_switches.off(*off):
            if switches.compile:
                with _compiled(module, switches, disable=not compile_, traced=traced) as compiled:
                    yield compiled
            else:
                yield module
    finally:
        unpatch(module)
        layout(module, channels_last=False)


def _patch(module: nn.Module, switches: Switches) -> None:
    """Everything that changes the module itself."""
    layout(module, channels_last=switches.channels_last)
    patch(module, tuple(op for op in PATCHABLE if op in switches.ops))
    if switches.wide_attention:
        patch_wide_attention(module)
    if switches.joint_projections:
        join_projections(module)
    if switches.fp8:
        patch_fp8(module)
    if switches.compile and switches.loose_bias:
        loosen_biases(module)
    if switches.shared_halves and isinstance(module, Step) and module.guided:
        share_halves(module.unet)


@contextmanager
def _compiled(module: nn.Module, switches: Switches, *, disable: bool, traced: set[str] | None) -> Iterator[Any]:
    torch._dynamo.reset()
    blocks = _blocks(module) if switches.regional else []
    arguments: dict[str, Any] = {"dynamic": False, "disable": disable}
    if traced is not None and not disable:
        arguments["backend"] = noting(traced)
    try:
        if not blocks:
            yield torch.compile(module, **arguments)
            return
        for block in blocks:
            block.compile(**arguments)
        with torch._dynamo.config.patch(recompile_limit=128):  # a block has as many versions as there are shapes
            yield module
    finally:
        for block in blocks:
            block._compiled_call_impl = None
        torch._dynamo.reset()


def noting(traced: set[str], compiler: Any = None) -> Any:
    """A backend of torch.compile that adds the names of our ops in each graph to `traced`; else it is Inductor."""

    def backend(graph: Any, inputs: Any) -> Any:
        targets = (node.target for node in graph.graph.nodes if node.op == "call_function")
        traced.update(filter(None, map(op_name, targets)))
        if compiler is not None:
            return compiler(graph, inputs)
        from torch._inductor.compile_fx import compile_fx

        return compile_fx(graph, inputs)

    return backend


def op_name(target: Any) -> str:
    """Of an overload of an op of ours, as ``geglu_fp8``; empty for anything else."""
    namespace, _, name = target._schema.name.partition("::") if isinstance(target, torch._ops.OpOverload) else ("",) * 3
    return name if namespace == "framecast" else ""


def _blocks(module: nn.Module) -> list[Any]:
    """What is compiled by itself: the outermost of `_REGIONS`."""
    found: list[Any] = []
    inner: set[nn.Module] = set()
    for part in module.modules():
        if type(part).__name__ in _REGIONS and part not in inner:
            found.append(part)
            inner |= set(part.modules())
    return found


def layout(module: nn.Module, *, channels_last: bool) -> None:
    """Puts the weights of convolutions into channels-last memory, or back."""
    if channels_last:
        to_channels_last(module)
        return
    for parameter in module.parameters():
        parameter.data = parameter.data.contiguous()
