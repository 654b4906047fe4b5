"""Running a load against a server, with telemetry beside it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from framecast.bench.commands.publish import console, counting
from framecast.bench.load import LoadRun, closed_loop
from framecast.bench.metrics import DenoiserCounters, scrape
from framecast.bench.slo import Slo
from framecast.bench.summary import summary
from framecast.bench.telemetry.nvml import open_gpus
from framecast.bench.telemetry.sampler import Telemetry
from framecast.bench.workload import Ask, Generate, Workload, generator
from framecast.client import AsyncVideoClient, ChannelOptions, Event, RetryPolicy

IDLE_SECONDS = 2.0  # over which a GPU's power at rest is measured, where there is one


@dataclass(frozen=True)
class Target:
    """The server under test.

    Attributes:
        address: host:port of the gateway.
        pid: root of its processes; None: elsewhere.
        metrics: address of Triton's metrics page; None: not known.
        timeout: seconds for a video.
        token: that it wants; empty: none.
        channel: TLS and limits.
    """

    address: str
    pid: int | None = None
    metrics: str | None = None
    timeout: float | None = None
    token: str = ""
    channel: ChannelOptions = field(default_factory=ChannelOptions)

    def client(self, retry: RetryPolicy | None = None) -> AsyncVideoClient:
        """A client of it. Raises InvalidArgument for a token that cannot be sent."""
        return AsyncVideoClient(self.address, token=self.token, channel=self.channel, retry=retry)


@dataclass(frozen=True)
class Measurement:
    """A load's figures, the load itself and the telemetry's readings."""

    results: dict[str, Any]
    run: LoadRun
    telemetry: list[dict[str, Any]]

    def raw(self) -> dict[str, Any]:
        """Everything that was sampled."""
        return {
            "videos": [sample.to_json() for sample in self.run.samples],
            "in_flight": [list(point) for point in self.run.in_flight],
            "telemetry": self.telemetry,
        }


async def measured(
    target: Target, load: Callable[[Generate], Awaitable[LoadRun]], videos: int, slo: Slo | None = None
) -> Measurement:
    """Runs `load`, of so many videos, with a client that does not retry, and reads machine and metrics before, beside
    and after.
    """
    gpus = open_gpus()
    idle = None
    if gpus is not None:
        before = [reading.power_w for reading in gpus.read()]
        await asyncio.sleep(IDLE_SECONDS)
        powers = [power for power in (*before, *(reading.power_w for reading in gpus.read())) if power is not None]
        idle = fmean(powers) * len(gpus) if powers else None
    async with target.client(RetryPolicy(attempts=1)) as client:
        counters = reader(target.metrics)
        old = await counters() if counters else None
        with counting(videos) as ended, Telemetry(target.pid, gpus=gpus) as telemetry:
            run = await load(_told(generator(client, target.timeout), ended))
        new = await _again(counters) if counters else None
    results = summary(run, slo)
    results.update(telemetry.summary(results["completed_requests"], idle_watts=idle))
    if old is not None and new is not None:
        added = new.since(old)
        results["batch_sizes"] = dict(added.sizes or {})
        results["batch_size_mean"], results["step_seconds_mean"] = added.mean_batch, added.mean_step
        results["mixed_steps"], results["steps"] = added.mixed, added.steps
    return Measurement(results, run, telemetry.raw())


def _told(generate: Generate, ended: Callable[[], None]) -> Generate:
    """The same videos; `ended` is called after each, however it ends."""

    async def told(ask: Ask) -> AsyncGenerator[Event, None]:
        try:
            async with aclosing(generate(ask)) as events:
                async for event in events:
                    yield event
        finally:
            ended()

    return told


async def identity(target: Target) -> dict[str, str]:
    """What a record says of the server: Framecast's version, the bundle's name and its digest."""
    async with target.client() as client:
        info = await client.server_info()
    return {"version": info.version, "bundle": info.bundle, "source": info.source}


async def warm_up(target: Target, workload: Workload, videos: int) -> None:
    """Makes videos that do not count."""
    if videos:
        async with target.client() as client:
            await closed_loop(generator(client, target.timeout), workload, videos, 1)


async def _again(counters: Callable[[], Awaitable[DenoiserCounters]]) -> DenoiserCounters | None:
    """The counters once more; None, said in one sentence, where they are gone: what was measured is kept."""
    try:
        return await counters()
    except OSError as error:
        console.print(f"the denoiser's figures are left out: {error}", highlight=False, markup=False)
        return None


def reader(url: str | None) -> Callable[[], Awaitable[DenoiserCounters]] | None:
    """Reads the denoiser's counters; None without an address."""
    if url is None:
        return None
    return lambda: asyncio.to_thread(scrape, url)
