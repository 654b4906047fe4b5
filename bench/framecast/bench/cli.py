"""`framecast bench`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from framecast.bench.latency import measure, raw, summary
from framecast.bench.record import Record
from framecast.client import FramecastClientError, Scene, VideoClient, VideoOptions
from framecast.client.report import fail

app = typer.Typer(help="Measure a running server.", no_args_is_help=True)
_console = Console(stderr=True)


@app.callback()
def _root() -> None:
    """A callback makes Typer keep the subcommand's name while there is only one."""


@app.command()
def latency(
    story: Annotated[str | None, typer.Option(help="A story for the planner.")] = None,
    scene: Annotated[list[str] | None, typer.Option(help="A scene prompt; repeatable.")] = None,
    seconds: Annotated[float, typer.Option(help="Length of each scene; 0: one segment.")] = 0.0,
    address: Annotated[str, typer.Option(envvar="FRAMECAST_ADDRESS", help="host:port.")] = "127.0.0.1:50051",
    num_prompts: Annotated[int, typer.Option(min=1, help="Videos to measure.")] = 5,
    warmup_requests: Annotated[int, typer.Option(min=0, help="Videos before that.")] = 1,
    width: int = 0,
    height: int = 0,
    fps: int = 0,
    num_inference_steps: int = 0,
    output_file: Annotated[Path | None, typer.Option(help="JSON with every sample.")] = None,
) -> None:
    """One client, one video at a time, split by stage. The last line on stdout is one JSON object."""
    if (story is None) == (not scene):
        raise typer.BadParameter("give either --story or --scene")
    options = VideoOptions(width=width, height=height, fps=fps, steps=num_inference_steps, seed=1)
    scenes = [Scene(prompt, seconds) for prompt in scene or ()]
    try:
        with VideoClient(address) as client, Progress(console=_console, transient=True) as bar:
            task = bar.add_task("videos", total=num_prompts + warmup_requests)
            samples = measure(
                client,
                story=story,
                scenes=scenes,
                options=options,
                videos=num_prompts,
                warmup=warmup_requests,
                progress=lambda: bar.advance(task),
            )
    except FramecastClientError as error:
        fail(str(error), 1)
    results = summary(samples)
    record = Record("latency", results, raw(samples))
    if output_file is not None:
        record.save(output_file)
    table = Table("figure", "value")
    for name, value in results.items():
        table.add_row(name, f"{value:.3f}" if isinstance(value, float) else str(value))
    _console.print(table)
    typer.echo(record.to_json())
