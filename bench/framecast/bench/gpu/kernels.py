"""Our kernels beside torch's: correct first, then timed."""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from framecast.bench.gpu.cases import Case, cases, shrunk
from framecast.bench.gpu.ceilings import COPY_TB_S, MATMUL_TFLOP_S
from framecast.bench.gpu.rows import Deadline, Emit
from framecast.bench.gpu.scale import Scale
from framecast.bench.gpu.timing import measure
from framecast.kernels.shapes import Shape, shapes
from framecast.kernels.switches import OPS

COMPILE_SECONDS = 15.0  # that a case with max-autotune may take; with less left it is left out
CASE_SECONDS = 1.5  # that a case takes without it
SWEEP_SECONDS = 40.0  # kept for other tilings
SWEEP_OPS = ("group_norm_silu", "temporal_attention", "yuv420")  # whose tiling is reasoned


def run(scale: Scale, emit: Emit, deadline: Deadline) -> None:
    """Every chosen shape, then other tilings of the heaviest ones while there is time."""
    device, dtype = torch.device(scale.device), getattr(torch, scale.dtype)
    _exact_float32()
    chosen = list(heaviest(scale.shapes))
    for index, shape in enumerate(chosen):
        small = shape if scale.name == "full" else shrunk(shape)
        reserved = SWEEP_SECONDS + CASE_SECONDS * (len(chosen) - index)
        for case in cases(small, device, dtype):
            emit(**row(case, scale, compiled=deadline.allows(COMPILE_SECONDS + reserved)))
    for op in SWEEP_OPS:
        shape = next(shape for shape in chosen if shape.op == op)
        for case in cases(shape if scale.name == "full" else shrunk(shape), device, dtype):
            _sweep(case, scale, emit, deadline)


def heaviest(count: int) -> Iterator[Shape]:
    """Of every family and op the `count` shapes that move most bytes in a step; all of them for 0."""
    found = shapes()
    families = dict.fromkeys(shape.family for shape in found)
    for family in families:
        for op in OPS:
            these = [shape for shape in found if (shape.op, shape.family) == (op, family)]
            these.sort(key=lambda shape: shape.calls * shape.kernel_bytes, reverse=True)
            yield from these[:count] if count else these


def row(case: Case, scale: Scale, *, compiled: bool) -> dict[str, Any]:
    """Figures of one case. A way of computing it that is wrong has no time but a reason, in ``…_refused``."""
    shape, device = case.shape, torch.device(scale.device)
    found: dict[str, Any] = {"op": shape.op, "family": shape.family, "shape": shape.name, "calls": shape.calls}
    ways: dict[str, Callable[[], Any]] = {"eager": case.plain, "ours": case.ours}
    if compiled:
        torch._dynamo.reset()  # one code object at many shapes would reach the limit of recompilations
        ways["compile"] = torch.compile(
            case.plain, dynamic=False, mode="max-autotune-no-cudagraphs", disable=not scale.compile
        )
    for name, call in ways.items():
        try:
            refused = case.wrong(call, torch_rounds=name != "ours")
            timing = None if refused else measure(call, device, scale.seconds)
        except Exception as error:  # noqa: BLE001 - a kernel that does not even run is a result, and others follow
            refused, timing = reason(error), None
        if timing is None:
            found[f"{name}_refused"] = refused
            continue
        found |= timing.record(name)
        if device.type == "cuda" and not timing.graph:
            found[f"{name}_note"] = "launches included: it cannot be a CUDA graph"
    if "ours_us" in found:
        found |= achieved(shape, found["ours_us"])
        others = [found[key] for key in ("eager_us", "compile_us") if key in found]
        if others:
            found["speedup"] = min(others) / found["ours_us"]
    return found


def achieved(shape: Shape, us: float) -> dict[str, float]:
    """What a time means: bytes asked of memory and floor bytes a second, operations a second, ÷ the ceilings."""
    asked, floor = (count / us / 1e6 for count in (shape.kernel_bytes, shape.floor_bytes))
    flops = shape.flops / us / 1e6
    return {
        "tb_s": asked,
        "of_copy": asked / COPY_TB_S,
        "floor_of_copy": floor / COPY_TB_S,
        "tflop_s": flops,
        "of_matmul": flops / MATMUL_TFLOP_S,
    }


def _sweep(case: Case, scale: Scale, emit: Emit, deadline: Deadline) -> None:
    """The fastest of other tilings; those that are wrong or do not run are listed with their reason."""
    device = torch.device(scale.device)
    times: dict[str, float] = {}
    refused: dict[str, str] = {}
    for name, call in (("as chosen", case.ours), *case.candidates):
        if not deadline.allows(4.0):
            refused[name] = "no time left"
            continue
        try:
            wrong = case.wrong(call)
            if not wrong:
                times[name] = measure(call, device, scale.seconds / 2).median_us
        except Exception as error:  # noqa: BLE001 - as in `row`
            wrong = reason(error)
        if wrong:
            refused[name] = wrong
    best = min(times, key=lambda name: times[name], default="none")
    emit(sweep=case.shape.name, best=best, times_us=times, refused=refused)


def reason(error: BaseException) -> str:
    """The first line of an error with its class, cut short."""
    return f"{type(error).__name__}: {(str(error).strip() or 'no message').splitlines()[0][:200]}"


def _exact_float32() -> None:
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
