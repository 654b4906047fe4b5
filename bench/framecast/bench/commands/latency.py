"""`framecast bench latency`."""

import asyncio
from dataclasses import asdict

import typer

from framecast.bench.commands import options as o
from framecast.bench.commands.publish import publish, tell_failures
from framecast.bench.commands.run import Measurement, identity, measured, warm_up
from framecast.bench.interrupt import Interrupt
from framecast.bench.load import closed_loop
from framecast.bench.record import Record
from framecast.bench.workload import Workload
from framecast.client import VideoOptions
from framecast.client.report import fail, one_sentence_errors


@one_sentence_errors()
def latency(
    story: o.Story = None,
    scene: o.Scenes = None,
    seconds: o.Seconds = 0.0,
    num_frames: o.NumFrames = 0,
    address: o.Address = o.DEFAULT_ADDRESS,
    token: o.Token = "",
    tls: o.Tls = False,
    ca_file: o.CaFile = None,
    num_prompts: o.NumPrompts = 5,
    warmup_requests: o.Warmup = 1,
    width: o.Width = 0,
    height: o.Height = 0,
    fps: o.Fps = 0,
    num_inference_steps: o.Steps = 0,
    slo: o.SloOption = "",
    seed: o.Seed = 1,
    server_pid: o.ServerPid = 0,
    metrics_url: o.MetricsUrl = "",
    output_file: o.OutputFile = None,
) -> None:
    """One client, one video at a time, split by stage. The last line on stdout is one JSON object."""
    asked = VideoOptions(width=width, height=height, fps=fps, steps=num_inference_steps)
    workload = o.workload(story, scene, seconds, num_frames, asked, seed)
    target = o.target(address, token=token, tls=tls, ca_file=ca_file, pid=server_pid, url=metrics_url)
    bounds = o.objective(slo)

    asked_for = settings(workload)

    async def run() -> tuple[Measurement, bool]:
        asked_for["served"] = await identity(target)
        await warm_up(target, workload, warmup_requests)
        with Interrupt() as stop:
            found = await measured(
                target,
                lambda generate: closed_loop(generate, workload, num_prompts, 1, interrupt=stop),
                num_prompts,
                bounds,
            )
            return found, stop.asked

    found, interrupted = asyncio.run(run())
    publish(Record("latency", found.results, found.raw(), asked_for), output_file)
    tell_failures(found.run.samples)
    if interrupted:
        fail("interrupted; the record has what had ended by then", 130)
    if found.results["failed_requests"]:
        raise typer.Exit(1)


def settings(workload: Workload) -> dict[str, object]:
    """What is asked for, as a record keeps it: the kinds of video, and where there are several which one each video is;
    after the last comes the first again.
    """
    kinds, order = workload.order()
    return {"kinds": [asdict(kind) for kind in kinds], **({"order": order} if len(kinds) > 1 else {})}
