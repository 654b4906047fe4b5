"""`framecast bench load`: open loop, closed loop, trace replay and the sweep to the knee."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from framecast.bench import arrivals
from framecast.bench.arrivals import Times
from framecast.bench.commands import options as o
from framecast.bench.commands.latency import settings
from framecast.bench.commands.publish import console, publish, tell_failures
from framecast.bench.commands.run import Measurement, identity, measured, warm_up
from framecast.bench.demand import read_mix, read_trace
from framecast.bench.interrupt import Interrupt
from framecast.bench.load import LoadLimits, closed_loop, open_loop
from framecast.bench.record import Record
from framecast.bench.sample import Sample
from framecast.bench.sweep import SweepRules, sweep
from framecast.client import VideoOptions
from framecast.client.report import fail, one_sentence_errors

_LIMITS, _RULES = LoadLimits(), SweepRules()


class Arrivals(str, Enum):
    """How callers come."""

    POISSON = "poisson"
    CONSTANT = "constant"
    BURSTY = "bursty"


@one_sentence_errors()
def load(
    story: o.Story = None,
    scene: o.Scenes = None,
    seconds: o.Seconds = 0.0,
    num_frames: o.NumFrames = 0,
    request_rate: Annotated[
        float,
        typer.Option(
            min=0, callback=o.finite, help="Videos a second, whether or not earlier ones are done; 0: closed loop."
        ),
    ] = 0.0,
    max_concurrency: Annotated[
        int, typer.Option(min=0, help="Closed loop: callers. Open loop: at once at most, the wait counts; 0: no bound.")
    ] = _LIMITS.max_concurrency,
    arrival: Annotated[Arrivals, typer.Option("--arrivals", help="Open loop: when callers come.")] = Arrivals.POISSON,
    trace: Annotated[Path | None, typer.Option(help="Replay a trace (docs/bench.md) instead.")] = None,
    mix: Annotated[Path | None, typer.Option(help="Videos drawn by weight from a file (docs/bench.md).")] = None,
    to_knee: Annotated[bool, typer.Option("--sweep", help="Raise the rate until the server falls behind.")] = False,
    sweep_factor: Annotated[
        float, typer.Option(min=1.01, callback=o.finite, help="Between the rates of a sweep.")
    ] = _RULES.factor,
    sweep_bisections: Annotated[int, typer.Option(min=0, help="Of a sweep's last step.")] = _RULES.bisections,
    address: o.Address = o.DEFAULT_ADDRESS,
    token: o.Token = "",
    tls: o.Tls = False,
    ca_file: o.CaFile = None,
    num_prompts: o.NumPrompts = 100,
    warmup_requests: o.Warmup = 1,
    width: o.Width = 0,
    height: o.Height = 0,
    fps: o.Fps = 0,
    num_inference_steps: o.Steps = 0,
    slo: o.SloOption = "",
    seed: o.Seed = 1,
    timeout: Annotated[
        float, typer.Option(min=0.001, callback=o.finite, help="Seconds for a video; later it has failed.")
    ] = 600.0,
    server_pid: o.ServerPid = 0,
    metrics_url: o.MetricsUrl = "",
    output_file: o.OutputFile = None,
) -> None:
    """Many callers at once. Latencies count from when a video was meant to be sent. A load that the server cannot
    keep up with is stopped, and the result says so. The last line on stdout is one JSON object.
    """
    asked = VideoOptions(width=width, height=height, fps=fps, steps=num_inference_steps)
    given = {"--trace": trace, "--mix": mix, "--story or --scene": story or scene}
    if len(several := [name for name, value in given.items() if value]) > 1:
        raise typer.BadParameter(f"{' and '.join(several)} both say what the videos are; give one of them")
    if trace is not None and (request_rate or seconds or num_frames):
        raise typer.BadParameter("--trace says when callers come and what they ask for: leave out the options for that")
    if mix is not None and (seconds or num_frames):
        raise typer.BadParameter("--mix says how long its scenes are: leave out --seconds and --num-frames")
    if not any(given.values()):
        raise typer.BadParameter("nothing is asked for: give --story, --scene, --mix or --trace")
    if trace is not None:
        with o.sentences():
            times, workload = read_trace(trace, asked, seed)
    else:
        if mix is not None:
            with o.sentences():
                workload = read_mix(mix, asked, num_prompts, seed)
        else:
            workload = o.workload(story, scene, seconds, num_frames, asked, seed)
        times = arrival_times(arrival, request_rate, num_prompts, seed) if request_rate else arrivals.constant(1, 1)
    if to_knee and (not request_rate or trace is not None):
        raise typer.BadParameter("--sweep begins at --request-rate")
    if not request_rate and trace is None and not max_concurrency:
        raise typer.BadParameter("give --request-rate, --trace, or --max-concurrency for a closed loop")
    limits, bounds = LoadLimits(max_concurrency), o.objective(slo)
    target = o.target(address, token=token, tls=tls, ca_file=ca_file, pid=server_pid, url=metrics_url, timeout=timeout)
    asked_for: dict[str, Any] = {
        **settings(workload),
        "request_rate": request_rate,
        "arrivals": "trace" if trace else arrival.value if request_rate else "closed",
        "max_concurrency": max_concurrency,
        "slo": asdict(bounds),
    }

    async def at(times: Times, stop: Interrupt) -> Measurement:
        asked = times.tolist()
        return await measured(
            target, lambda generate: open_loop(generate, workload, asked, limits, interrupt=stop), len(asked), bounds
        )

    async def run() -> tuple[Record, Sequence[Sample], bool]:
        asked_for["served"] = await identity(target)
        await warm_up(target, workload, warmup_requests)
        with Interrupt() as stop:
            if to_knee:
                rules = SweepRules(request_rate, sweep_factor, sweep_bisections)
                one = partial(at, stop=stop)
                return *await _sweep(one, arrival, num_prompts, seed, rules), stop.asked
            if request_rate or trace is not None:
                found = await at(times, stop)
            else:
                callers = partial(closed_loop, interrupt=stop)
                found = await measured(
                    target,
                    lambda generate: callers(generate, workload, num_prompts, max_concurrency),
                    num_prompts,
                    bounds,
                )
            return Record("load", found.results, found.raw()), found.run.samples, stop.asked

    record, samples, interrupted = asyncio.run(run())
    publish(Record(record.benchmark, record.results, record.samples, asked_for), output_file)
    none = tell_failures(samples)
    if interrupted:
        fail("interrupted; the record has what had ended by then", 130)
    if none:
        raise typer.Exit(1)


async def _sweep(
    at: Any, arrival: Arrivals, videos: int, seed: int, rules: SweepRules
) -> tuple[Record, Sequence[Sample]]:
    """The record, and the samples of every rate together."""
    samples: dict[str, Any] = {}
    every: list[Sample] = []

    async def one(rate: float) -> dict[str, Any]:
        console.print(f"{rate:.3g} videos/s", highlight=False)
        found: Measurement = await at(arrival_times(arrival, rate, videos, seed))
        samples[repr(rate)] = found.raw()
        every.extend(found.run.samples)
        return found.results

    found = await sweep(one, rules)
    made = any(not sample.error for sample in every)  # else no rate was too much: something else is wrong
    beyond = found.beyond if made else None
    results = {"knee_qps": found.knee, "beyond_qps": beyond, "points": list(found.points)}
    return Record("sweep", results, samples), every


def arrival_times(arrival: Arrivals, rate: float, videos: int, seed: int) -> Times:
    """The schedule of a load, at exactly that rate: the luck of few draws does not move it."""
    if arrival is Arrivals.CONSTANT:
        return arrivals.constant(rate, videos)
    drawn = (
        arrivals.bursty(rate, videos, seed=seed) if arrival is Arrivals.BURSTY else arrivals.poisson(rate, videos, seed)
    )
    return arrivals.stretched(drawn, rate)
