"""`framecast bench capacity`: calibrate, predict, plan, simulate, validate."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from framecast.bench import arrivals
from framecast.bench.capacity.calibrate import CalibrationPlan
from framecast.bench.capacity.calibrate import calibrate as measure
from framecast.bench.capacity.film import Film, cut
from framecast.bench.capacity.fit import Measured, together
from framecast.bench.capacity.fit import fit as fitted_from
from framecast.bench.capacity.fitted import Fitted, read_served_model
from framecast.bench.capacity.fleet import Failure, Fleet, Routing
from framecast.bench.capacity.plan import Demand, Price
from framecast.bench.capacity.plan import plan as smallest
from framecast.bench.capacity.predict import capacity, places
from framecast.bench.capacity.predict import predict as predicted
from framecast.bench.capacity.service import Replica
from framecast.bench.capacity.simulate import simulate as simulated
from framecast.bench.capacity.validate import summarised
from framecast.bench.capacity.validate import validate as compared
from framecast.bench.commands import options as o
from framecast.bench.commands.load import Arrivals, arrival_times
from framecast.bench.commands.publish import console, publish
from framecast.bench.commands.run import reader
from framecast.bench.record import Record
from framecast.bench.sample import Sample
from framecast.bench.workload import generator
from framecast.client import AsyncVideoClient
from framecast.client.report import fail, one_sentence_errors

app = typer.Typer(
    help="What a machine makes, and how many machines a demand takes.", no_args_is_help=True, add_completion=False
)

Model = Annotated[Path, typer.Argument(help="Record of `capacity calibrate` or `capacity fit`.")]
SceneSeconds = Annotated[list[float] | None, typer.Option(help="Length of a scene; repeatable; none: one segment.")]
Planned = Annotated[bool, typer.Option("--planned", help="The planner writes the scenes.")]
Limits = Annotated[list[str] | None, typer.Option("--limit", help="NAME=NUMBER of a replica's limits; repeatable.")]
Rate = Annotated[float, typer.Option(help="Videos a second, of all replicas.")]
_PLAN, _PRICE, _DEMAND = CalibrationPlan(), Price(), Demand(0.0)


@app.command()
@one_sentence_errors()
def calibrate(
    repository: Annotated[Path, typer.Option(help="The served repository, for the model's constants.")] = Path(
        "build/served"
    ),
    address: o.Address = o.DEFAULT_ADDRESS,
    num_prompts: Annotated[int, typer.Option(min=1, help="Videos of each kind.")] = _PLAN.videos,
    concurrency: Annotated[list[int] | None, typer.Option(help="Callers at once; repeatable; 2 and 4.")] = None,
    story: Annotated[str, typer.Option(help="For the planner's part; empty leaves it out.")] = _PLAN.story,
    server_pid: o.ServerPid = 0,
    metrics_url: o.MetricsUrl = "",
    output_file: o.OutputFile = None,
) -> None:
    """Measures a running server for a few minutes and fits the service model."""
    plan = CalibrationPlan(num_prompts, tuple(concurrency or _PLAN.concurrencies), _PLAN.prompt, story)
    metrics = o.server(server_pid, metrics_url)[1]
    if metrics is None:
        console.print("without Triton's metrics every step is taken to hold one segment of each caller")
    with _sentences():
        served = read_served_model(repository)

        async def run() -> list[Measured]:
            async with AsyncVideoClient(address) as client:
                return await measure(generator(client), served, plan, reader(metrics), console.print)

        runs = asyncio.run(run())
        results = fitted_from(runs, served).to_json()
    publish(Record("capacity calibrate", results, [asdict(run) for run in runs]), output_file)


@app.command()
@one_sentence_errors()
def fit(
    calibrations: Annotated[list[Path], typer.Argument(help="Records of `capacity calibrate`, of one repository.")],
    output_file: o.OutputFile = None,
) -> None:
    """Fits the service model again, from the raw samples of calibrations, made before and after a load, say."""
    with _sentences():
        records = [Record.load(path) for path in calibrations]
        first, *others = [Fitted.from_json(dict(record.results)).served for record in records]
        if any(served != first for served in others):
            raise ValueError("the calibrations are of different repositories: fit one model of each")
        kinds: dict[tuple[tuple[float, ...], int, int], list[Measured]] = {}
        for record in records:
            for run in map(Measured.from_json, record.samples):
                kinds.setdefault((run.scene_seconds, run.steps, run.concurrency), []).append(run)
        runs = [together(each) for each in kinds.values()]
        results = fitted_from(runs, first).to_json()
    publish(Record("capacity fit", results, [asdict(run) for run in runs]), output_file)


@app.command()
@one_sentence_errors()
def predict(
    model: Model,
    request_rate: Annotated[
        list[float] | None, typer.Option(help="Videos a second; repeatable; none: a curve.")
    ] = None,
    replicas: Annotated[int, typer.Option(min=1)] = 1,
    scene_seconds: SceneSeconds = None,
    steps: o.Steps = 0,
    width: o.Width = 0,
    height: o.Height = 0,
    fps: o.Fps = 0,
    planned: Planned = False,
    slo: o.SloOption = "",
    limit: Limits = None,
    output_file: o.OutputFile = None,
) -> None:
    """Throughput, latency and time to first frame at arrival rates, by formula."""
    bounds = o.objective(slo)
    with _sentences():
        fitted, film, replica = _inputs(model, _Shape(scene_seconds, steps, width, height, fps), planned, limit)
        most = capacity(fitted.service, replica, [film])
        rates = request_rate or [replicas * most * share / 20 for share in range(1, 20)]
        points = [
            asdict(
                predicted(
                    *(fitted.service, replica, [film], rate, replicas),
                    latency_bound=bounds.latency,
                    ttff_bound=bounds.ttff,
                )
            )
            for rate in rates
        ]
    results = {"capacity_qps": replicas * most, "places": places(replica), "replicas": replicas, "points": points}
    efficiency = [[n, fitted.service.step.efficiency(n)] for n in range(1, places(replica) + 1)]
    publish(Record("capacity predict", {**results, "batch_efficiency": efficiency}, []), output_file)


@app.command()
@one_sentence_errors()
def plan(
    model: Model,
    videos_per_hour: Annotated[float, typer.Option(min=0.001, help="Demand.")],
    latency_p95: Annotated[float | None, typer.Option(help="Bound, seconds.")] = _DEMAND.latency_p95,
    ttff_p95: Annotated[float | None, typer.Option(help="Bound, seconds.")] = _DEMAND.ttff_p95,
    refused: Annotated[float, typer.Option(help="The largest share that may be turned away.")] = _DEMAND.refused,
    dollars_per_hour: Annotated[float, typer.Option(help="Of one replica.")] = _PRICE.dollars_per_hour,
    idle_watts: Annotated[float, typer.Option(help="Of one replica at rest.")] = _PRICE.idle_watts,
    busy_watts: Annotated[float, typer.Option(help="Of one replica at work.")] = _PRICE.busy_watts,
    scene_seconds: SceneSeconds = None,
    steps: o.Steps = 0,
    width: o.Width = 0,
    height: o.Height = 0,
    fps: o.Fps = 0,
    planned: Planned = False,
    limit: Limits = None,
    output_file: o.OutputFile = None,
) -> None:
    """How many GPUs for so many videos an hour within a bound, what they cost, and what energy a video takes."""
    demand = Demand(videos_per_hour, latency_p95, ttff_p95, refused)
    price = Price(dollars_per_hour, idle_watts, busy_watts)
    with _sentences():
        fitted, film, replica = _inputs(model, _Shape(scene_seconds, steps, width, height, fps), planned, limit)
        found = smallest(fitted.service, replica, [film], demand, price)
    publish(Record("capacity plan", asdict(found), [], asdict(demand) | asdict(price)), output_file)
    if found.replicas is None:
        fail("no number of replicas keeps the bound: one video alone takes longer", 1)


@app.command()
@one_sentence_errors()
def simulate(
    model: Model,
    request_rate: Rate,
    num_prompts: Annotated[int, typer.Option(min=1, help="Videos.")] = 10_000,
    replicas: Annotated[int, typer.Option(min=1)] = 1,
    routing: Annotated[Routing, typer.Option(help="Who takes a video.")] = Routing.ROUND_ROBIN,
    arrival: Annotated[Arrivals, typer.Option("--arrivals", help="When callers come.")] = Arrivals.POISSON,
    failures_per_hour: Annotated[float, typer.Option(min=0, help="Of each replica's denoiser.")] = 0.0,
    repair: Annotated[float, typer.Option(min=0, help="Seconds until a denoiser is back.")] = 2.0,
    scene_seconds: SceneSeconds = None,
    steps: o.Steps = 0,
    width: o.Width = 0,
    height: o.Height = 0,
    fps: o.Fps = 0,
    planned: Planned = False,
    limit: Limits = None,
    seed: o.Seed = 1,
    output_file: o.OutputFile = None,
) -> None:
    """Plays a fleet, event by event. The first tenth of the videos is warm-up."""
    with _sentences():
        fitted, film, replica = _inputs(model, _Shape(scene_seconds, steps, width, height, fps), planned, limit)
        times = arrival_times(arrival, request_rate, num_prompts, seed)
        deaths = _deaths(failures_per_hour * replicas, float(times[-1]), replicas, repair, seed)
        fleet = Fleet(fitted.service, replica, replicas, routing, deaths)
        found = simulated(fleet, times, [film], seed=seed)
    results: dict[str, Any] = {
        **summarised(found, warmup=0.1),
        "batch_sizes": {str(size): number for size, number in found.batches.items()},
        "failures": len(deaths),
        "simulated_videos_per_second": found.videos_per_second,
    }
    settings = {
        "request_rate": request_rate,
        "replicas": replicas,
        "arrivals": arrival.value,
        "limits": asdict(replica),
    }
    publish(Record("capacity simulate", results, [], settings), output_file)


@app.command()
@one_sentence_errors()
def validate(
    model: Model,
    measured: Annotated[list[Path], typer.Argument(help="Records of `load`, open loop or sweep, not in the fit.")],
    limit: Limits = None,
    output_file: o.OutputFile = None,
) -> None:
    """Predictions against measurements: an error table."""
    rows = []
    with _sentences():
        for path in measured:
            record = Record.load(path)
            asked = record.settings
            if asked.get("arrivals") not in ("poisson", "constant") or asked.get("story"):
                raise ValueError(f"{path}: only open loops of scenes at a rate can be predicted")
            scenes = [float(seconds) for seconds in asked["scene_seconds"]]
            numbers = (int(asked[name]) for name in ("num_inference_steps", "width", "height", "fps"))
            shape = _Shape(scenes, *numbers)
            fitted, film, replica = _inputs(model, shape, False, limit)
            runs = record.samples if record.benchmark == "sweep" else {repr(asked["request_rate"]): record.samples}
            for rate, raw in runs.items():
                samples = [Sample.from_json(sample) for sample in raw["videos"]]
                ca2 = 1.0 if asked["arrivals"] == "poisson" else 0.0
                rows += compared(fitted.service, replica, film, float(rate), samples, ca2)
    results: dict[str, Any] = {"rows": [row.to_json() for row in rows]}
    for kind in ("formula", "simulated"):
        errors = [abs(error) for row in rows if (error := getattr(row, f"{kind}_error")) is not None]
        results[f"{kind}_error_worst"] = max(errors, default=None)
    publish(Record("capacity validate", results, [], {"measured": [str(path) for path in measured]}), output_file)


@dataclass(frozen=True)
class _Shape:
    """Of a video; 0 is the repository's own."""

    scene_seconds: list[float] | None
    steps: int
    width: int
    height: int
    fps: int


def _inputs(model: Path, shape: _Shape, planned: bool, limits: list[str] | None) -> tuple[Fitted, Film, Replica]:
    fitted = Fitted.from_json(dict(Record.load(model).results))
    film = cut(
        shape.scene_seconds or [0.0],
        fitted.served,
        steps=shape.steps,
        fps=shape.fps,
        pixels=(shape.width or fitted.served.width) * (shape.height or fitted.served.height),
        reference_pixels=fitted.service.pixels,
        planned=planned,
    )
    return fitted, film, _replica(limits or [])


def _replica(limits: list[str]) -> Replica:
    known = {each.name: each.type for each in fields(Replica)}
    values: dict[str, Any] = {}
    for text in limits:
        name, _, value = text.partition("=")
        if name not in known:
            raise ValueError(f"--limit: {name!r} is none of {', '.join(known)}")
        values[name] = json.loads(value)
    return replace(Replica(), **values)


def _deaths(rate: float, seconds: float, replicas: int, repair: float, seed: int) -> tuple[Failure, ...]:
    """Failures of a fleet, `rate` an hour, for so long."""
    if not rate:
        return ()
    times = arrivals.poisson(rate / 3600, int(rate / 3600 * seconds * 2) + 10, seed + 1)
    return tuple(Failure(float(at), (seed + i * 7919) % replicas, repair) for i, at in enumerate(times) if at < seconds)


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        fail(str(error), 2)
