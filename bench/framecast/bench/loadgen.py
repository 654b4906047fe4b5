"""MLCommons LoadGen as the driver: SingleStream, Server and Offline.

LoadGen speaks of tokens. Here a token is a frame and the first token the first chunk, so LoadGen's time to first
token is the time to first frame and its time per output token the time per frame after that.
"""

import asyncio
import tempfile
import threading
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any

from framecast.bench.sample import Sample, observe
from framecast.bench.workload import Ask, Generate, Workload
from framecast.client import AsyncVideoClient, Chunk


class Scenario(str, Enum):
    """One video after the other; Poisson arrivals; all at once."""

    SINGLE_STREAM = "SingleStream"
    SERVER = "Server"
    OFFLINE = "Offline"


@dataclass(frozen=True)
class LoadGenSettings:
    """What LoadGen is told.

    Attributes:
        scenario: how it asks.
        queries: at least this many videos.
        min_seconds: at least this long; 600 for a run by MLPerf's rules.
        request_rate: videos a second of Server, and what Offline is expected to reach.
        ttff_seconds, frame_seconds: bounds of Server at the 99th percentile: to the first frame, and for each later
            frame.
        percentile: of SingleStream's latency.
    """

    scenario: Scenario
    queries: int = 64
    min_seconds: float = 0.0
    request_rate: float = 1.0
    ttff_seconds: float = 10.0
    frame_seconds: float = 0.1
    percentile: float = 0.9


@dataclass(frozen=True)
class LoadGenRun:
    """LoadGen's own summary, word by word, and our samples of the same videos.

    Attributes:
        summary: name → value, both as LoadGen prints them.
        valid: LoadGen's verdict, and no video failed: LoadGen itself knows no failures.
        samples: in order of completion, times on the run's own clock.
    """

    summary: dict[str, str]
    valid: bool
    samples: tuple[Sample, ...]


class _Sut:
    """The system under test as LoadGen sees it; videos run on one event loop in a thread."""

    def __init__(self, library: Any, workload: Workload, generate: Generate, loop: asyncio.AbstractEventLoop) -> None:
        self.samples: list[Sample] = []
        self._library, self._workload, self._generate, self._loop = library, workload, generate, loop
        self._origin = loop.time()
        self._asked = 0

    def issue(self, queries: Sequence[Any]) -> None:
        """Called by LoadGen's threads; returns at once."""
        for query in queries:
            ask = self._workload.ask(query.index)
            intended = self._loop.time() - self._origin
            asyncio.run_coroutine_threadsafe(self._video(query.id, self._asked, ask, intended), self._loop)
            self._asked += 1

    async def _video(self, query: int, index: int, ask: Ask, intended: float) -> None:
        response, first = self._library.QuerySampleResponse, True

        async def events() -> Any:
            nonlocal first
            async for event in self._generate(ask):
                if isinstance(event, Chunk) and first:
                    first = False
                    self._library.FirstTokenComplete([response(query, 0, 0, event.frames)])
                yield event

        sample: Sample | None = None
        try:
            sample = await observe(events(), index, intended, self._origin)
        finally:  # LoadGen waits for every query for ever
            if sample is None:
                sample = Sample(index, intended, intended, self._loop.time() - self._origin, error="Crashed")
            self.samples.append(sample)
            if first:
                self._library.FirstTokenComplete([response(query, 0, 0, 1)])
            self._library.QuerySamplesComplete([response(query, 0, 0, max(sample.frames, 2))])


def run_loadgen(workload: Workload, generate: Generate | AsyncVideoClient, settings: LoadGenSettings) -> LoadGenRun:
    """Runs one scenario; blocks until it has ended. Needs `mlcommons-loadgen`.

    Args:
        workload: the videos; LoadGen draws from them.
        generate: makes one, on a loop of this function's; or a client that has made no call yet.
        settings: the scenario.
    """
    library = import_module("mlperf_loadgen")
    with tempfile.TemporaryDirectory(prefix="framecast-loadgen-") as folder, _Loop() as loop:
        stack = AsyncExitStack()
        if isinstance(generate, AsyncVideoClient):
            stack.push_async_exit(generate)
            generate = _by(generate)
        sut = _Sut(library, workload, generate, loop.loop)
        handle = library.ConstructSUT(sut.issue, lambda: None)
        asks = max(len(workload.asks), settings.queries)  # the same kinds again, with other seeds
        queries = library.ConstructQSL(asks, asks, lambda _: None, lambda _: None)
        logs = library.LogSettings()
        logs.log_output.outdir, logs.log_output.copy_summary_to_stdout = folder, False
        try:
            library.StartTestWithLogSettings(handle, queries, _test_settings(library, settings), logs)
        finally:
            library.DestroyQSL(queries)
            library.DestroySUT(handle)
            loop.run(stack.aclose())
        summary = parse_summary((Path(folder) / "mlperf_log_summary.txt").read_text(encoding="utf-8"))
    valid = summary.get("Result is") == "VALID" and not any(sample.error for sample in sut.samples)
    return LoadGenRun(summary, valid, tuple(sut.samples))


def parse_summary(text: str) -> dict[str, str]:
    """The ``name : value`` lines of LoadGen's summary."""
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _by(client: AsyncVideoClient) -> Generate:
    return lambda ask: client.generate(ask.story, scenes=ask.scenes or None, options=ask.options)


def _test_settings(library: Any, settings: LoadGenSettings) -> Any:
    test = library.TestSettings()
    scenarios = library.TestScenario
    test.scenario = getattr(scenarios, settings.scenario.value)
    test.mode = library.TestMode.PerformanceOnly
    test.use_token_latencies = True
    test.min_query_count = settings.queries
    test.min_duration_ms = int(1000 * settings.min_seconds)
    test.server_target_qps = test.offline_expected_qps = settings.request_rate
    test.server_target_latency_percentile = 0.99
    test.ttft_latency = int(1e9 * settings.ttff_seconds)
    test.tpot_latency = int(1e9 * settings.frame_seconds)
    test.single_stream_target_latency_percentile = settings.percentile
    return test


class _Loop:
    """An event loop running on a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="loadgen-sut", daemon=True)

    def __enter__(self) -> "_Loop":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.loop.shutdown_asyncgens())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` on the loop and waits for it."""
        asyncio.run_coroutine_threadsafe(work, self.loop).result()
