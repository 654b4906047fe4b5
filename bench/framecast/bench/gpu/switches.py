"""Every optimisation of a denoise step and a decode, each with an off switch, and the ladders that replay them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from framecast.kernels import switches as kernel_switches
from framecast.kernels.patch import PATCHABLE, patch, to_channels_last, unpatch


@dataclass(frozen=True)
class Switches:
    """What is on.

    Attributes:
        channels_last: convolution weights, and so activations, in channels-last memory.
        group_norm_silu, temporal_attention, geglu, guided_step, yuv420: our op in the place of torch's.
        compile: torch.compile.
        cudnn_attention: torch asks cuDNN first for attention inside a picture; elsewhere than on CUDA it says nothing.
        cuda_graph: the whole step is one CUDA graph; elsewhere than on CUDA it says nothing.
    """

    channels_last: bool = True
    group_norm_silu: bool = True
    temporal_attention: bool = True
    geglu: bool = True
    guided_step: bool = True
    yuv420: bool = True
    compile: bool = True
    cudnn_attention: bool = True
    cuda_graph: bool = True

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


#: What the suite compares. What the bars are about comes first: compiling takes a minute, and time may be over.
SUITE = (
    Rung("eager", _OFF),
    Rung("ours", replace(_ON, cudnn_attention=False)),
    Rung("compile", replace(_OFF, channels_last=True, compile=True, cuda_graph=True)),
    Rung("ours without compile", replace(_ON, compile=False, cudnn_attention=False)),
    Rung("ours without compile, cuDNN's attention", replace(_ON, compile=False)),
    Rung("channels_last", replace(_OFF, channels_last=True)),
)


def climbing() -> tuple[Rung, ...]:
    """Everything off, then one more on at a time. Compilation comes last, it takes longest."""
    rungs, now = [Rung("eager", _OFF)], _OFF
    order = ("cuda_graph", *(name for name in NAMES if name not in ("cuda_graph", "compile")), "compile")
    for name in order:
        now = replace(now, **{name: True})
        rungs.append(Rung(f"+ {name}", now))
    return tuple(rungs)


def leaving_out(*, compiled: bool) -> tuple[Rung, ...]:
    """Everything on but one; without `compiled` none of them compiles, which is what takes the time."""
    full = replace(_ON, compile=compiled)
    names = [name for name in NAMES if compiled or name != "compile"]
    return (Rung("all", full), *(Rung(f"all but {name}", replace(full, **{name: False})) for name in names))


@contextmanager
def applied(module: nn.Module, switches: Switches, *, compile_: bool = True) -> Iterator[Any]:
    """`module` with the switches set, as something to call; afterwards it is as diffusers made it.

    Args:
        module: its submodules are patched in place.
        switches: see `Switches`; `cuda_graph` is for whoever calls.
        compile_: False makes torch.compile's call and lets it do nothing.
    """
    off = tuple(op for op in kernel_switches.OPS if op not in switches.ops)
    layout(module, channels_last=switches.channels_last)
    patch(module, tuple(op for op in PATCHABLE if op in switches.ops))
    try:
        with _off(off), _attention(cudnn=switches.cudnn_attention):
            if not switches.compile:
                yield module
                return
            torch._dynamo.reset()
            yield torch.compile(module, dynamic=False, disable=not compile_)
    finally:
        unpatch(module)
        layout(module, channels_last=False)
        torch._dynamo.reset()


@contextmanager
def _attention(*, cudnn: bool) -> Iterator[None]:
    """Flash attention pads heads of 40 channels to 64 and was written for the GPUs before Hopper; cuDNN's was not."""
    if not (cudnn and torch.cuda.is_available()):
        yield
        return
    kinds = SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH
    with sdpa_kernel(list(kinds), set_priority=True):
        yield


@contextmanager
def _off(ops: tuple[str, ...]) -> Iterator[None]:
    if not ops:  # `off()` without a name would mean all of them
        yield
        return
    with kernel_switches.off(*ops):
        yield


def layout(module: nn.Module, *, channels_last: bool) -> None:
    """Puts the weights of convolutions into channels-last memory, or back."""
    if channels_last:
        to_channels_last(module)
        return
    for parameter in module.parameters():
        parameter.data = parameter.data.contiguous()
