"""`framecast bench capacity`: calibrate a server, fit the service model, and hold it to measured loads."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from framecast.bench.capacity.calibrate import CalibrationPlan
from framecast.bench.capacity.calibrate import calibrate as measure
from framecast.bench.capacity.fit import Measured, together
from framecast.bench.capacity.fit import fit as fitted_from
from framecast.bench.capacity.fitted import Fitted, read_served_model
from framecast.bench.capacity.validate import Load
from framecast.bench.capacity.validate import validate as compared
from framecast.bench.commands import options as o
from framecast.bench.commands.model import Limits, Model, inputs, sentences
from framecast.bench.commands.plans import plan, predict, simulate
from framecast.bench.commands.publish import console, publish
from framecast.bench.commands.run import identity, reader
from framecast.bench.kind import Kind
from framecast.bench.record import Record
from framecast.bench.sample import Sample
from framecast.bench.workload import generator
from framecast.client.report import one_sentence_errors

app = typer.Typer(
    help="What a machine makes, and how many machines a demand takes.", no_args_is_help=True, add_completion=False
)
for planning in (predict, plan, simulate):
    app.command()(planning)
_PLAN = CalibrationPlan()
_CA2 = {"constant": 0.0, "poisson": 1.0}


@app.command()
@one_sentence_errors()
def calibrate(
    repository: Annotated[Path, typer.Option(help="The served repository, for the model's constants.")] = Path(
        "build/served"
    ),
    address: o.Address = o.DEFAULT_ADDRESS,
    token: o.Token = "",
    tls: o.Tls = False,
    ca_file: o.CaFile = None,
    num_prompts: Annotated[int, typer.Option(min=1, help="Videos of each kind.")] = _PLAN.videos,
    concurrency: Annotated[list[int] | None, typer.Option(min=1, help="Callers at once; repeatable; 2 and 4.")] = None,
    story: Annotated[str, typer.Option(help="For the planner's part; empty leaves it out.")] = _PLAN.story,
    width: o.Width = 0,
    height: o.Height = 0,
    server_pid: o.ServerPid = 0,
    metrics_url: o.MetricsUrl = "",
    output_file: o.OutputFile = None,
) -> None:
    """Measures a running server for a few minutes and fits the service model."""
    wanted = CalibrationPlan(num_prompts, tuple(concurrency or _PLAN.concurrencies), width, height, story=story)
    target = o.target(address, token=token, tls=tls, ca_file=ca_file, pid=server_pid, url=metrics_url)
    if target.metrics is None:
        console.print("without Triton's metrics every step is taken to hold one segment of each caller")
    with sentences():
        served = read_served_model(repository)

        async def run() -> list[Measured]:
            async with target.client() as client:
                return await measure(generator(client), served, wanted, reader(target.metrics), console.print)

        runs = asyncio.run(run())
        results = fitted_from(runs, served).to_json()
        served_by = asyncio.run(identity(target))
    settings = {"served": served_by, "width": width, "height": height, "story": story}
    publish(Record("capacity calibrate", results, [asdict(run) for run in runs], settings), output_file)


@app.command()
@one_sentence_errors()
def fit(
    calibrations: Annotated[list[Path], typer.Argument(help="Records of `capacity calibrate`, of one repository.")],
    output_file: o.OutputFile = None,
) -> None:
    """Fits the service model again, from the raw samples of calibrations, made before and after a load, say."""
    with sentences():
        records = [Record.load(path) for path in calibrations]
        first, *others = [Fitted.from_json(dict(record.results)).served for record in records]
        if any(served != first for served in others):
            raise ValueError("the calibrations are of different repositories: fit one model of each")
        kinds: dict[tuple[tuple[float, ...], int, int], list[Measured]] = {}
        for record in records:
            for run in map(Measured.from_json, record.samples):
                kinds.setdefault((run.scene_seconds, run.steps, run.concurrency), []).append(run)
        sizes = sorted({run.pixels for each in kinds.values() for run in each})
        if len(sizes) > 1:
            raise ValueError(
                f"the calibrations are of pictures of {' and '.join(f'{size:,}' for size in sizes)} pixels: "
                "fit one model of each size"
            )
        runs = [together(each) for each in kinds.values()]
        results = fitted_from(runs, first).to_json()
    settings = {"calibrations": [path.name for path in calibrations]}
    publish(Record("capacity fit", results, [asdict(run) for run in runs], settings), output_file)


@app.command()
@one_sentence_errors()
def validate(
    model: Model,
    measured: Annotated[list[Path], typer.Argument(help="Records of `load`, open loop or sweep, not in the fit.")],
    at_its_speed: Annotated[
        bool, typer.Option("--at-its-speed", help="All costs times what the load's own denoise steps took longer.")
    ] = False,
    limit: Limits = None,
    output_file: o.OutputFile = None,
) -> None:
    """Predictions against measurements: an error table."""
    rows = []
    with sentences():
        for path in measured:
            record = Record.load(path)
            kinds, order = _demand(path, record.settings)
            fitted, films, replica = inputs(model, [(1.0, kind) for kind in kinds], limit)
            swept = record.benchmark == "sweep"
            points = record.results["points"] if swept else [record.results]
            for found in points:
                raw = record.samples[repr(found["request_rate"])] if swept else record.samples
                samples = tuple(Sample.from_json(sample) for sample in raw["videos"])
                which = [order[sample.index % len(order)] for sample in samples]
                load = Load(films, which, samples, found.get("step_seconds_mean"))
                rows += compared(
                    fitted.service, replica, load, _CA2.get(record.settings["arrivals"]), at_its_speed=at_its_speed
                )
    results: dict[str, Any] = {"rows": [row.to_json() for row in rows]}
    for name in ("formula", "simulated"):
        those = [row for row in rows if row.figure != "step_seconds"]
        errors = [abs(error) for row in those if (error := getattr(row, f"{name}_error")) is not None]
        results[f"{name}_error_worst"] = max(errors, default=None)
    settings = {"model": model.name, "measured": [path.name for path in measured]}
    publish(Record("capacity validate", results, [], settings), output_file)


def _demand(path: Path, asked: Mapping[str, Any]) -> tuple[list[Kind], list[int]]:
    """The kinds of video of a load, and which kind each of its videos is."""
    if asked.get("arrivals") not in ("poisson", "constant", "bursty", "trace"):
        raise ValueError(f"{path}: only open loops can be predicted")
    if "kinds" in asked:
        kinds = [Kind.from_json(kind) for kind in asked["kinds"]]
    else:  # a record of version 0.1 from before there were mixes
        names = ("num_inference_steps", "width", "height", "fps")
        shape = {name: int(asked[name]) for name in names}
        kinds = [Kind(tuple(asked["scene_seconds"]), **shape, planned=bool(asked.get("story")))]
    if any(kind.planned for kind in kinds):
        raise ValueError(f"{path}: only loads of scenes can be predicted: what a planner will write is not known")
    return kinds, asked.get("order") or [0]
