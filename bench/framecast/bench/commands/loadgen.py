"""`framecast bench loadgen`."""

import asyncio
from typing import Annotated

import typer

from framecast.bench.commands import options as o
from framecast.bench.commands.latency import settings
from framecast.bench.commands.publish import publish, tell_failures
from framecast.bench.commands.run import identity, warm_up
from framecast.bench.divergence import State, Verdict
from framecast.bench.load import LoadRun
from framecast.bench.loadgen import LoadGenSettings, Scenario, run_loadgen
from framecast.bench.record import Record
from framecast.bench.summary import summary
from framecast.bench.telemetry.sampler import Telemetry
from framecast.client import RetryPolicy, VideoOptions
from framecast.client.report import one_sentence_errors

_DEFAULTS = LoadGenSettings(Scenario.SINGLE_STREAM)


@one_sentence_errors()
def loadgen(
    scenario: Annotated[Scenario, typer.Option(help="How LoadGen asks.")] = _DEFAULTS.scenario,
    story: o.Story = None,
    scene: o.Scenes = None,
    seconds: o.Seconds = 0.0,
    num_frames: o.NumFrames = 0,
    num_prompts: Annotated[int, typer.Option(min=1, help="At least this many videos.")] = _DEFAULTS.queries,
    min_seconds: Annotated[
        float, typer.Option(min=0, callback=o.finite, help="At least this long; MLPerf's rules: 600.")
    ] = _DEFAULTS.min_seconds,
    request_rate: Annotated[
        float, typer.Option(min=1e-3, callback=o.finite, help="Server: videos a second.")
    ] = _DEFAULTS.request_rate,
    ttff: Annotated[
        float, typer.Option(min=1e-3, callback=o.finite, help="Server: bound on the first frame at p99, s.")
    ] = _DEFAULTS.ttff_seconds,
    frame: Annotated[
        float, typer.Option(min=1e-3, callback=o.finite, help="Server: bound on each later frame, s.")
    ] = _DEFAULTS.frame_seconds,
    address: o.Address = o.DEFAULT_ADDRESS,
    token: o.Token = "",
    tls: o.Tls = False,
    ca_file: o.CaFile = None,
    warmup_requests: o.Warmup = 1,
    width: o.Width = 0,
    height: o.Height = 0,
    fps: o.Fps = 0,
    num_inference_steps: o.Steps = 0,
    seed: o.Seed = 1,
    server_pid: o.ServerPid = 0,
    output_file: o.OutputFile = None,
) -> None:
    """MLCommons LoadGen as the driver; a token is a frame. The last line on stdout is one JSON object."""
    asked = VideoOptions(width=width, height=height, fps=fps, steps=num_inference_steps)
    workload = o.workload(story, scene, seconds, num_frames, asked, seed)
    rules = LoadGenSettings(scenario, num_prompts, min_seconds, request_rate, ttff, frame)
    target = o.target(address, token=token, tls=tls, ca_file=ca_file, pid=server_pid)
    served = asyncio.run(identity(target))
    asyncio.run(warm_up(target, workload, warmup_requests))
    with Telemetry(target.pid) as telemetry:
        found = run_loadgen(workload, target.client(RetryPolicy(attempts=1)), rules)
    duration = max((sample.ended for sample in found.samples), default=0.0)
    ours = summary(LoadRun(found.samples, duration, len(found.samples), (), Verdict(State.STEADY)))
    results = {
        "valid": found.valid,
        **ours,
        **telemetry.summary(ours["completed_requests"]),
        "loadgen": found.summary,
    }
    samples = {"videos": [sample.to_json() for sample in found.samples], "telemetry": telemetry.raw()}
    publish(
        Record("loadgen", results, samples, {**settings(workload), "scenario": scenario.value, "served": served}),
        output_file,
    )
    if tell_failures(found.samples) or not found.valid:
        raise typer.Exit(1)
