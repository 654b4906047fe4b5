"""The time of one call on a device: warm, from a cold and clean L2 cache, without the cost of launching.

On CUDA the call is captured in a graph, so that neither Python nor the driver is timed, and sampled with events. Before
each sample a buffer of four times the cache is *read*: what the call needs is no longer there, and nothing is left to
be written back at the call's expense, as there is after writing zeros.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

_LEAST, _MOST = 5, 200  # samples


@dataclass(frozen=True)
class Timing:
    """Microseconds of one call.

    Attributes:
        median_us, p20_us, p80_us: of the samples.
        samples: how many there were.
        graph: whether a CUDA graph was timed.
    """

    median_us: float
    p20_us: float
    p80_us: float
    samples: int
    graph: bool

    def each(self, count: int) -> "Timing":
        """Of one call, where `count` of them were timed together."""
        return replace(self, median_us=self.median_us / count, p20_us=self.p20_us / count, p80_us=self.p80_us / count)

    def record(self, prefix: str) -> dict[str, Any]:
        """As a row has it: ``<prefix>_us`` and so on."""
        names = {"median_us": "us", "p20_us": "p20_us", "p80_us": "p80_us"}
        return {f"{prefix}_{short}": asdict(self)[name] for name, short in names.items()}


def measure(call: Callable[[], Any], device: torch.device, seconds: float, *, graph: bool = True) -> Timing:
    """Times `call`, which works on tensors that stay where they are.

    Args:
        call: takes nothing; its result is dropped.
        device: CPU or CUDA.
        seconds: to sample for, about; there are at least five samples.
        graph: capture it; a call that cannot be captured is timed with its launches, and the result says so.
    """
    if device.type != "cuda":
        call()
        return _timing([_seconds(call) * 1e6 for _ in range(_LEAST if seconds else 1)], False)
    warm_up(call)
    captured = capture(call) if graph else None
    replay = call if captured is None else captured.replay
    flush = _Flush(device)
    first = _events(replay, flush, 3)
    count = max(_LEAST, min(_MOST, int(seconds * 1e6 / (sorted(first)[1] + flush.us))))
    return _timing(_events(replay, flush, count), captured is not None)


def warm_up(call: Callable[[], Any], times: int = 3) -> None:
    """Runs `call` on a stream of its own, as a capture wants it."""
    make: Any = torch.cuda.Stream  # torch has no types for it
    stream = make()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(times):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    torch.cuda.synchronize()


def capture(call: Callable[[], Any]) -> torch.cuda.CUDAGraph | None:
    """`call` as a CUDA graph; None where it does what a graph cannot hold."""
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            call()
    except RuntimeError:
        torch.cuda.synchronize()
        return None
    return graph


class _Flush:
    """Empties the L2 cache."""

    def __init__(self, device: torch.device) -> None:
        size = int(getattr(torch.cuda.get_device_properties(device), "L2_cache_size", 0)) or 64 << 20
        self._buffer = torch.ones(size, device=device)  # 4 bytes each
        self._sum = torch.empty((), device=device)
        self.us = 4 * size / 2e6  # at 2 TB/s

    def __call__(self) -> None:
        torch.sum(self._buffer, dim=0, out=self._sum)


def _events(call: Callable[[], Any], flush: _Flush, count: int) -> list[float]:
    event: Any = torch.cuda.Event
    pairs = [(event(enable_timing=True), event(enable_timing=True)) for _ in range(count)]
    for start, end in pairs:
        flush()
        start.record()
        call()
        end.record()
    torch.cuda.synchronize()
    return [start.elapsed_time(end) * 1e3 for start, end in pairs]


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _timing(samples: list[float], graph: bool) -> Timing:
    ordered = sorted(samples)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return Timing(at(0.5), at(0.2), at(0.8), len(ordered), graph)
