"""Our kernels beside torch's: correct first, then timed."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from framecast.bench.gpu.cases import Case, cases, shrunk
from framecast.bench.gpu.ceilings import COPY_TB_S, MATMUL_TFLOP_S
from framecast.bench.gpu.rows import Deadline, Emit, reason
from framecast.bench.gpu.scale import Scale
from framecast.bench.gpu.timing import Timing, measure
from framecast.kernels.shapes import ANIMATEDIFF, MODELSCOPE, Shape, shapes
from framecast.kernels.switches import OPS

COMPILE_SECONDS = 15.0  # that a case with max-autotune may take; with less left it is left out
CASE_SECONDS = 1.5  # that a case takes without it
SWEEP_SECONDS = 40.0  # kept for other tilings
COLD_BYTES = 300_000_000  # that calls in a row move between them: five times the L2 cache
MOST_IN_A_ROW = 100
SWEEP_FAMILIES = (ANIMATEDIFF, MODELSCOPE)
SWEEP_OPS = ("group_norm_silu", "temporal_attention", "yuv420")  # whose tiling is reasoned


def run(scale: Scale, emit: Emit, deadline: Deadline) -> None:
    """Every chosen shape, then other tilings of the heaviest ones while there is time."""
    _exact_float32()
    chosen = list(heaviest(scale.shapes))
    for index, shape in enumerate(chosen):
        reserved = SWEEP_SECONDS + CASE_SECONDS * (len(chosen) - index)
        for alike in _alike(shape, scale):
            emit(**row(alike, scale, compiled=deadline.allows(COMPILE_SECONDS + reserved)))
    for op in SWEEP_OPS:
        for family in SWEEP_FAMILIES:
            shape = next(shape for shape in chosen if (shape.op, shape.family) == (op, family))
            for alike in _alike(shape, scale):
                _sweep(alike, scale, emit, deadline)


def _alike(shape: Shape, scale: Scale) -> Iterator[tuple[Case, ...]]:
    """The cases of a shape, each as often as fills the cache several times over, with other numbers each time.

    A step calls an op many times in a row, in a graph, on what is not in the cache. One short call alone would be timed
    with the start of its graph, which takes as long as the call.
    """
    device, dtype = torch.device(scale.device), getattr(torch, scale.dtype)
    small = shape if scale.name == "full" else shrunk(shape)
    count = max(1, min(MOST_IN_A_ROW, COLD_BYTES // small.floor_bytes)) if scale.name == "full" else 2
    yield from zip(*(cases(small, device, dtype, seed) for seed in range(1, count + 1)), strict=True)


def heaviest(count: int) -> Iterator[Shape]:
    """Of every family and op the `count` shapes that move most bytes in a step; all of them for 0."""
    found = shapes()
    families = dict.fromkeys(shape.family for shape in found)
    for family in families:
        for op in OPS:
            these = [shape for shape in found if (shape.op, shape.family) == (op, family)]
            these.sort(key=lambda shape: shape.calls * shape.kernel_bytes, reverse=True)
            yield from these[:count] if count else these


def row(alike: Sequence[Case], scale: Scale, *, compiled: bool) -> dict[str, Any]:
    """Figures of one case, called in a row on several sets of numbers; the first set is checked.

    A way of computing it that is wrong has no time but a reason, in ``…_refused``.
    """
    case, device = alike[0], torch.device(scale.device)
    shape = case.shape
    found: dict[str, Any] = {"op": shape.op, "family": shape.family, "shape": shape.name, "calls": shape.calls}
    found["in_a_row"] = len(alike)
    ways: dict[str, Sequence[Callable[[], Any]]] = {
        "eager": [other.plain for other in alike],
        "ours": [other.ours for other in alike],
    }
    if compiled:
        torch._dynamo.reset()  # one code object at many shapes would reach the limit of recompilations
        options: dict[str, Any] = {"dynamic": False, "mode": "max-autotune-no-cudagraphs"}
        ways["compile"] = [torch.compile(other.plain, **options, disable=not scale.compile) for other in alike]
    for name, calls in ways.items():
        try:
            refused = case.wrong(calls[0], torch_rounds=name != "ours")
            timing = None if refused else _in_a_row(calls, device, scale.seconds)
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
        found["same_copy_us"] = _copy(shape.kernel_bytes, len(alike), scale).median_us
        found["of_same_copy"] = found["same_copy_us"] / found["ours_us"]
        others = [found[key] for key in ("eager_us", "compile_us") if key in found]
        if others:
            found["speedup"] = min(others) / found["ours_us"]
    return found


def _in_a_row(calls: Sequence[Callable[[], Any]], device: torch.device, seconds: float) -> Timing:
    """Of one call. All results are alive at once, so that none is written where another is still in the cache."""
    return measure(lambda: [call() for call in calls], device, seconds).each(len(calls))


def _copy(count: int, times: int, scale: Scale) -> Timing:
    """What a kernel of torch takes to copy, `count` bytes read and written in all.

    A ceiling for calls that are too short to reach the card's: starting a kernel and its last blocks take 2 µs.
    """
    device, dtype = torch.device(scale.device), getattr(torch, scale.dtype)
    length = max(1, count // (2 * dtype.itemsize)) if scale.name == "full" else 1
    sources = torch.randn(times, length, device=device).to(dtype)
    targets = torch.empty_like(sources)

    def call(index: int) -> Callable[[], Any]:
        return lambda: torch.add(sources[index], 0.0, out=targets[index])

    return _in_a_row([call(index) for index in range(times)], device, scale.seconds)


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


def _sweep(alike: Sequence[Case], scale: Scale, emit: Emit, deadline: Deadline) -> None:
    """The fastest of other tilings; those that are wrong or do not run are listed with their reason."""
    device, case = torch.device(scale.device), alike[0]
    times: dict[str, float] = {}
    refused: dict[str, str] = {}
    tilings: dict[str, list[Callable[[], Any]]] = {"as chosen": [other.ours for other in alike]}
    for index, (name, _) in enumerate(case.candidates):
        tilings[name] = [other.candidates[index][1] for other in alike]
    for name, calls in tilings.items():
        if not deadline.allows(4.0):
            refused[name] = "no time left"
            continue
        try:
            wrong = case.wrong(calls[0])
            if not wrong:
                times[name] = _in_a_row(calls, device, scale.seconds / 2).median_us
        except Exception as error:  # noqa: BLE001 - as in `row`
            wrong = reason(error)
        if wrong:
            refused[name] = wrong
    best = min(times, key=lambda name: times[name], default="none")
    emit(sweep=case.shape.name, best=best, times_us=times, refused=refused)


def _exact_float32() -> None:
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
