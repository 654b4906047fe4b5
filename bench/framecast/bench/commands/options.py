"""Options that several commands share, under the names that other serving benchmarks use."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from framecast.bench.commands.run import Target
from framecast.bench.metrics import require_page
from framecast.bench.record import default_place, require_place
from framecast.bench.slo import Slo
from framecast.bench.telemetry.processes import alive, serving_parent
from framecast.bench.telemetry.processes import metrics_url as find_metrics
from framecast.bench.workload import Ask, Workload
from framecast.client import ChannelOptions, Scene, VideoOptions
from framecast.client.channel import DEFAULT_ADDRESS as DEFAULT_ADDRESS
from framecast.client.commands import CaFile as CaFile  # the same options as the client's own commands have
from framecast.client.commands import Tls as Tls
from framecast.client.commands import Token as Token


def finite(value: Any) -> Any:
    """For options that are numbers: infinities and NaN are told apart from them. Raises BadParameter."""
    for number in value if isinstance(value, list) else [value]:
        if number is not None and not math.isfinite(number):
            raise typer.BadParameter(f"{number} is not a finite number")
    return value


def _record_file(path: Path | None) -> Path | None:
    """--output-file, before anything is measured: what cannot be written then would be lost. Raises BadParameter."""
    try:
        require_place(path or default_place("record"))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return path


Story = Annotated[str | None, typer.Option(help="A story for the planner.")]
Scenes = Annotated[list[str] | None, typer.Option(help="A scene prompt; repeatable, all in one video.")]
Seconds = Annotated[float, typer.Option(min=0, callback=finite, help="Length of each scene; 0: one segment.")]
NumFrames = Annotated[int, typer.Option(min=0, help="Length of each scene in frames instead; needs --fps.")]
Address = Annotated[str, typer.Option(envvar="FRAMECAST_ADDRESS", help="host:port of the gateway.")]
NumPrompts = Annotated[int, typer.Option(min=1, help="Videos to measure.")]
Warmup = Annotated[int, typer.Option(min=0, help="Videos before that, one after the other.")]
Width = Annotated[int, typer.Option(min=0, help="Pixels; 0: the server's default.")]
Height = Annotated[int, typer.Option(min=0, help="Pixels; 0: the server's default.")]
Fps = Annotated[int, typer.Option(min=0, help="Frames per second; 0: the server's default.")]
Steps = Annotated[int, typer.Option(min=0, help="Denoising steps; 0: the server's default.")]
SloOption = Annotated[str, typer.Option(help="Bounds in seconds: ttff=2,latency=10,interval=1; rtf=1 is a ratio.")]
ServerPid = Annotated[int, typer.Option(help="Root of the server's processes; 0: the `framecast serve` around this.")]
MetricsUrl = Annotated[str, typer.Option(help="Triton's metrics page; empty: the one below --server-pid.")]
OutputFile = Annotated[
    Path | None,
    typer.Option(callback=_record_file, help="JSON with every sample; a table goes beside it as .md."),
]
Seed = Annotated[int, typer.Option(min=0, max=2**62, help="Of the first video and of the arrivals.")]


def workload(
    story: str | None,
    scene: list[str] | None,
    seconds: float,
    num_frames: int,
    options: VideoOptions,
    seed: int,
) -> Workload:
    """The videos that the options ask for. Raises BadParameter."""
    if (story is None) == (not scene):
        raise typer.BadParameter("give either --story or --scene")
    if num_frames and (seconds or not options.fps):
        raise typer.BadParameter("--num-frames takes the place of --seconds and needs --fps")
    length = num_frames / options.fps if num_frames else seconds
    return Workload((Ask(options, story, tuple(Scene(prompt, length) for prompt in scene or ())),), seed)


@contextmanager
def sentences() -> Iterator[None]:
    """A ValueError is a parameter that is wrong, and says how."""
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def target(
    address: str,
    *,
    token: str,
    tls: bool,
    ca_file: Path | None,
    pid: int = 0,
    url: str = "",
    timeout: float | None = None,
) -> Target:
    """The server under test, its process and metrics as far as they are given or can be found.

    Raises:
        BadParameter, InvalidArgument: `pid`, `url` or `ca_file` is none.
    """
    return Target(address, *server(pid, url), timeout, token, ChannelOptions.secured(tls, ca_file))


def objective(text: str) -> Slo:
    """--slo. Raises BadParameter."""
    with sentences():
        return Slo.parse(text)


def server(pid: int, url: str) -> tuple[int | None, str | None]:
    """Pid of the server and address of its metrics, as far as they are given or can be found. Raises BadParameter."""
    if pid and not alive(pid):
        raise typer.BadParameter(f"--server-pid: there is no process {pid}")
    if url:
        with sentences():
            require_page(url)
    found = pid or serving_parent()
    return found, url or (find_metrics(found) if found else None)
