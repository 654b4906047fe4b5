"""One module under one set of switches: right first, then timed, and left ready to be called again."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from framecast.bench.gpu.rows import Emit
from framecast.bench.gpu.scale import Scale
from framecast.bench.gpu.switches import Rung, Switches, applied, op_name
from framecast.bench.gpu.timing import Timing, capture, measure, warm_up
from framecast.kernels.switches import off

Tensors = tuple[Tensor, ...]

LOSSY_DB = 25.0  # signal to noise that a rung must keep which says of itself that its result is another


@dataclass(frozen=True)
class Workload:
    """A module with its inputs and what it must give.

    Attributes:
        name: in rows, for example ``unet step``.
        module: in the dtype that is measured.
        inputs: where they stay.
        reference: its outputs in float32.
        plain_error: the largest error of eager torch in the measured dtype.
        floor_ms: see `framecast.bench.gpu.ceilings`; None at other sizes.
    """

    name: str
    module: nn.Module
    inputs: Tensors
    reference: Tensors
    plain_error: float
    floor_ms: float | None

    @classmethod
    def of(
        cls, name: str, module: nn.Module, inputs: Callable[[torch.dtype], Tensors], scale: Scale, floor_ms: float
    ) -> "Workload":
        """Computes the reference with `module`, none of our ops in it, then casts it for good."""
        with torch.no_grad(), off("all"):
            with convolutions(tf32=False, search=False):
                reference = _tuple(module(*inputs(torch.float32)))
            dtype = getattr(torch, scale.dtype)
            module.to(dtype)
            mine = inputs(dtype)
            plain = _tuple(module(*mine))
        error = _worst(plain, reference)
        if scale.device == "cuda":
            torch.cuda.empty_cache()  # others prepare on the same device
        return cls(name, module, mine, reference, error, floor_ms if scale.name == "full" else None)

    def decibels(self, outputs: Tensors) -> float:
        """Signal to noise of the first output: the power of the reference over that of the difference."""
        reference = self.reference[0].float()
        noise = (outputs[0].float() - reference).square().mean()
        return float(10 * torch.log10(reference.square().mean() / noise.clamp(min=1e-30)))

    def wrong(self, outputs: Tensors, *, lossy: bool = False) -> str:
        """Why `outputs` are wrong. Empty where they are right.

        Beyond twice the error of eager torch; where the rung is `lossy`, under `LOSSY_DB`.
        """
        if any(not torch.isfinite(out.float()).all() for out in outputs):
            return "not finite"
        if lossy:
            found = self.decibels(outputs)
            return f"{found:.1f} dB, at least {LOSSY_DB:g} are wanted" if found < LOSSY_DB else ""
        error = _worst(outputs, self.reference)
        allowed = self.allowed
        return f"off by {error:.3g}, allowed is {allowed:.3g}" if error > allowed else ""

    @property
    def allowed(self) -> float:
        """Largest error of a result that is right."""
        largest = max(float(out.float().abs().max()) for out in self.reference)
        allowed = 2 * self.plain_error + 1e-5 * largest
        # A value halfway between two bytes falls to either side.
        return max(allowed, 1.0) if self.reference[0].dtype is torch.uint8 else allowed

    def beyond(self, outputs: Tensors) -> dict[str, float]:
        """Where outputs are wrong: the share of each one's rows along its first axis, and of its values."""
        row: dict[str, float] = {}
        for index, (out, reference) in enumerate(zip(outputs, self.reference, strict=True)):
            far = ((out.float() - reference.float()).abs() > self.allowed).flatten(1)
            row |= {f"rows_{index}": float(far.any(1).float().mean()), f"values_{index}": float(far.float().mean())}
        return row


@dataclass(frozen=True)
class Ready:
    """A module that was right and can be called on its workload's inputs again and again.

    Attributes:
        call: gives the outputs, with CUDA graphs always the same tensors.
        row: what is known of it so far.
    """

    call: Callable[[], Tensors]
    row: dict[str, Any]


@contextmanager
def ready(workload: Workload, rung: Rung, scale: Scale, emit: Emit) -> Iterator[Ready | None]:
    """Sets the switches, compiles and checks; None where the result is wrong, of which a row is emitted."""
    device = torch.device(scale.device)
    lossy = rung.switches.fp8
    called = ops_called(workload, rung.switches) if rung.switches.compile and scale.compile else set()
    with (
        torch.no_grad(),
        convolutions(tf32=True, search=True),
        applied(workload.module, rung.switches, compile_=scale.compile, traced=(traced := set[str]())) as module,
    ):
        row: dict[str, Any] = {"what": workload.name, "rung": rung.name, "dtype": scale.dtype}
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()

        def call() -> Tensors:
            return _tuple(module(*workload.inputs))

        if wrong := workload.wrong(call(), lossy=lossy) or missing(called, traced):
            emit(**row, refused=wrong)
            yield None
            return
        outputs, graph = None, None
        if device.type == "cuda" and rung.switches.cuda_graph:
            warm_up(call)
            kept: list[Tensors] = []
            graph = capture(lambda: kept.append(call()))
            outputs = kept[-1] if graph is not None else None
        replayed = call if graph is None or outputs is None else _replay(graph, outputs)
        found = replayed()
        if wrong := workload.wrong(found, lossy=lossy):
            emit(**row, refused=f"as a CUDA graph: {wrong}")
            yield None
            return
        row |= {"cuda_graph": graph is not None, "snr_db": workload.decibels(found)}
        if device.type == "cuda":
            row["peak_memory_mb"] = torch.cuda.max_memory_allocated() / 2**20
        yield Ready(replayed, row)


def ops_called(workload: Workload, switches: Switches) -> set[str]:
    """Names of our ops that the module calls with these switches, but for compiling."""
    seen = _Ops()
    with torch.no_grad(), applied(workload.module, replace(switches, compile=False)) as module, seen:
        module(*workload.inputs)
    if workload.inputs[0].is_cuda:
        torch.cuda.empty_cache()  # others prepare on the same device
    return seen.names


def missing(called: set[str], traced: set[str]) -> str:
    """Why what was compiled is not what was asked for; empty where every op in a block is in a graph.

    A compiler that does not see through a patch may leave out the ops and compute the same: only slower.
    """
    left_out = called - traced - _OUTSIDE
    return f"compiled without {', '.join(sorted(left_out))}" if left_out else ""


_OUTSIDE = {"guided_step", "upsample_conv", "yuv420"}  # of the blocks that are compiled


class _Ops(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names |= {op_name(func)} - {""}
        return func(*args, **(kwargs or {}))


def timed(workload: Workload, made: Ready, scale: Scale, emit: Emit) -> Timing:
    """Times what is ready and emits its row."""
    timing = measure(made.call, torch.device(scale.device), 4 * scale.seconds, graph=False)
    row = made.row | timing.record("call")
    if workload.floor_ms is not None:
        row["of_floor"] = timing.median_us / 1e3 / workload.floor_ms
    emit(**row)
    return timing


def convolutions(*, tf32: bool, search: bool) -> AbstractContextManager[None]:
    """How cuDNN convolves: single precision with inputs rounded or not, the fastest way searched for or guessed."""
    flags: Any = torch.backends.cudnn.flags  # torch has no types for it
    found: AbstractContextManager[None] = flags(enabled=True, benchmark=search, deterministic=False, allow_tf32=tf32)
    return found


def _replay(graph: torch.cuda.CUDAGraph, outputs: Tensors) -> Callable[[], Tensors]:
    def replay() -> Tensors:
        graph.replay()
        return outputs

    return replay


def _tuple(outputs: Any) -> Tensors:
    return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)


def _worst(outputs: Tensors, reference: Tensors) -> float:
    return max(float((a.float() - b.float()).abs().max()) for a, b in zip(outputs, reference, strict=True))
