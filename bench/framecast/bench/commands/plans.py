"""`framecast bench capacity predict`, `plan` and `simulate`: what a service model says of demands."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from framecast.bench import arrivals
from framecast.bench.capacity.fleet import Failure, Fleet, Routing
from framecast.bench.capacity.judge import Judged, judge
from framecast.bench.capacity.plan import MOST, Demand, Price
from framecast.bench.capacity.plan import plan as smallest
from framecast.bench.capacity.predict import capacity, places
from framecast.bench.capacity.predict import predict as predicted
from framecast.bench.capacity.simulate import simulate as simulated
from framecast.bench.capacity.validate import summarised
from framecast.bench.commands import options as o
from framecast.bench.commands.load import Arrivals, arrival_times
from framecast.bench.commands.model import Limits, Model, inputs, kinds, sentences
from framecast.bench.commands.publish import console, publish
from framecast.bench.kind import Kind
from framecast.bench.record import Record
from framecast.client.report import fail, one_sentence_errors

SceneSeconds = Annotated[
    list[float] | None,
    typer.Option(min=0, max=86_400, callback=o.finite, help="Length of a scene; repeatable; none: one segment."),
]
Planned = Annotated[bool, typer.Option("--planned", help="The planner writes the scenes.")]
Mix = Annotated[Path | None, typer.Option(help="Kinds of video by weight, from a file (docs/bench.md), instead.")]
Rate = Annotated[float, typer.Option(min=1e-6, max=1e9, callback=o.finite, help="Videos a second, of all replicas.")]
_PRICE, _DEMAND = Price(), Demand(0.0)
_SETTLED = 300  # videos of a replica, less than which say little of its queue
_TRUSTED = 0.9  # of what a fleet can make, up to which the formula was held to measurements and to the simulation


@one_sentence_errors()
def predict(
    model: Model,
    request_rate: Annotated[
        list[float] | None,
        typer.Option(min=1e-6, max=1e9, callback=o.finite, help="Videos a second; repeatable; none: a curve."),
    ] = None,
    replicas: Annotated[int, typer.Option(min=1)] = 1,
    scene_seconds: SceneSeconds = None,
    num_inference_steps: o.Steps = 0,
    width: o.Width = 0,
    height: o.Height = 0,
    fps: o.Fps = 0,
    planned: Planned = False,
    mix: Mix = None,
    slo: o.SloOption = "",
    limit: Limits = None,
    output_file: o.OutputFile = None,
) -> None:
    """Throughput, latency and time to first frame at arrival rates, by formula."""
    bounds = o.objective(slo)
    with sentences():
        kind = Kind(tuple(scene_seconds or ()), num_inference_steps, width, height, fps, planned)
        fitted, films, replica = inputs(model, kinds(kind, mix), limit)
        most = capacity(fitted.service, replica, films)
        rates = request_rate or [replicas * most * share / 20 for share in range(1, 20)]
        points = [
            asdict(
                predicted(
                    *(fitted.service, replica, films, rate, replicas),
                    latency_bound=bounds.latency,
                    ttff_bound=bounds.ttff,
                )
            )
            for rate in rates
        ]
    if max(rates) > _TRUSTED * replicas * most:
        typer.echo(
            f"framecast: above {_TRUSTED * replicas * most:.3g} videos/s the formula is off, for queues there do not "
            "settle: `framecast bench capacity simulate` plays them",
            err=True,
        )
    results: dict[str, Any] = {
        "capacity_qps": replicas * most,
        "places": places(replica),
        "replicas": replicas,
        "points": points,
    }
    if len(fitted.service.step.points) > 1:  # else nobody has measured what a batch gains
        batches = range(1, places(replica) + 1)
        results["batch_efficiency"] = [[n, fitted.service.step.efficiency(n)] for n in batches]
    publish(Record("capacity predict", results, []), output_file)


@one_sentence_errors()
def plan(
    model: Model,
    videos_per_hour: Annotated[float, typer.Option(min=0.001, max=1e12, callback=o.finite, help="Demand.")],
    latency_p95: Annotated[
        float | None, typer.Option(min=0, callback=o.finite, help="Bound, seconds.")
    ] = _DEMAND.latency_p95,
    ttff_p95: Annotated[
        float | None, typer.Option(min=0, callback=o.finite, help="Bound, seconds.")
    ] = _DEMAND.ttff_p95,
    refused: Annotated[
        float, typer.Option(min=0, max=1, callback=o.finite, help="The largest share that may be turned away.")
    ] = _DEMAND.refused,
    dollars_per_hour: Annotated[
        float, typer.Option(min=0, callback=o.finite, help="Of one replica.")
    ] = _PRICE.dollars_per_hour,
    idle_watts: Annotated[
        float, typer.Option(min=0, callback=o.finite, help="Of one replica at rest.")
    ] = _PRICE.idle_watts,
    busy_watts: Annotated[
        float, typer.Option(min=0, callback=o.finite, help="Of one replica at work.")
    ] = _PRICE.busy_watts,
    scene_seconds: SceneSeconds = None,
    num_inference_steps: o.Steps = 0,
    width: o.Width = 0,
    height: o.Height = 0,
    fps: o.Fps = 0,
    planned: Planned = False,
    mix: Mix = None,
    routing: Annotated[Routing, typer.Option(help="How a balancer divides the videos.")] = Routing.RANDOM,
    num_prompts: Annotated[int, typer.Option(min=1000, help="Videos that each fleet is tried with.")] = 20_000,
    limit: Limits = None,
    seed: o.Seed = 1,
    output_file: o.OutputFile = None,
) -> None:
    """How many GPUs for so many videos an hour within a bound, what they cost, and what energy a video takes. The
    formula says where to look, and simulations which number it is.
    """
    demand = Demand(videos_per_hour, latency_p95, ttff_p95, refused)
    with sentences():
        price = Price(dollars_per_hour, idle_watts, busy_watts)
        kind = Kind(tuple(scene_seconds or ()), num_inference_steps, width, height, fps, planned)
        fitted, films, replica = inputs(model, kinds(kind, mix), limit)
        with console.status("simulating") as status:

            def judged(replicas: int) -> Judged:
                status.update(f"simulating {replicas:,} replicas")
                rate = videos_per_hour / 3600
                chosen: Any = {"routing": routing, "videos": num_prompts, "seed": seed}
                return judge(fitted.service, replica, films, rate, replicas, **chosen)

            found = smallest(fitted.service, replica, films, demand, price, judged=judged)
    settings = {**asdict(demand), **asdict(price), "routing": routing.value, "limits": asdict(replica)}
    results = asdict(found)
    results |= results.pop("simulated")  # what decided stands first, what the formula says beside it
    publish(Record("capacity plan", results, [], settings), output_file)
    if found.replicas is None:
        fail(f"no number of replicas keeps the bound: {_why(found.simulated, demand)}", 1)


def _why(most: Judged, demand: Demand) -> str:
    """What keeps `MOST` replicas from it."""
    if not demand.refused:
        return "some caller may always find every place taken; give --refused a little more than 0"
    late = [
        f"takes {found:.3g} s to {what}"
        for what, found, bound in (
            ("its first frame", most.ttff_p95, demand.ttff_p95),
            ("its end", most.latency_p95, demand.latency_p95),
        )
        if bound is not None and found is not None and found > bound
    ]
    if most.refused_rate > demand.refused:
        late.insert(0, f"finds every place taken in {100 * most.refused_rate:.3g} % of calls")
    return f"with {MOST:,}, the most that are tried, a video {' and '.join(late)}"


@one_sentence_errors()
def simulate(
    model: Model,
    request_rate: Rate,
    num_prompts: Annotated[int, typer.Option(min=1, help="Videos.")] = 10_000,
    replicas: Annotated[int, typer.Option(min=1, max=100_000)] = 1,
    routing: Annotated[Routing, typer.Option(help="Who takes a video.")] = Routing.ROUND_ROBIN,
    arrival: Annotated[Arrivals, typer.Option("--arrivals", help="When callers come.")] = Arrivals.POISSON,
    failures_per_hour: Annotated[
        float, typer.Option(min=0, callback=o.finite, help="Of each replica's denoiser.")
    ] = 0.0,
    repair: Annotated[float, typer.Option(min=0, callback=o.finite, help="Seconds until a denoiser is back.")] = 2.0,
    scene_seconds: SceneSeconds = None,
    num_inference_steps: o.Steps = 0,
    width: o.Width = 0,
    height: o.Height = 0,
    fps: o.Fps = 0,
    planned: Planned = False,
    mix: Mix = None,
    limit: Limits = None,
    seed: o.Seed = 1,
    output_file: o.OutputFile = None,
) -> None:
    """Plays a fleet, event by event. The first tenth of the videos is warm-up."""
    with sentences():
        kind = Kind(tuple(scene_seconds or ()), num_inference_steps, width, height, fps, planned)
        fitted, films, replica = inputs(model, kinds(kind, mix), limit)
        _warn(request_rate / replicas, capacity(fitted.service, replica, films), num_prompts / replicas)
        times = arrival_times(arrival, request_rate, num_prompts, seed)
        deaths = _deaths(failures_per_hour * replicas, float(times[-1]), replicas, repair, seed)
        fleet = Fleet(fitted.service, replica, replicas, routing, deaths)
        found = simulated(fleet, times, films, seed=seed)
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


def _warn(rate: float, most: float, videos: float) -> None:
    """Says what a simulation of so many videos a replica cannot show."""
    if rate > most:
        typer.echo(
            f"framecast: {rate:.3g} videos/s a replica are more than the {most:.3g} that it can make: its queue grows "
            "as long as callers come, and how many are refused depends on how long that is",
            err=True,
        )
    if videos < _SETTLED:
        typer.echo(
            f"framecast: {videos:.3g} videos a replica are too few for its queue to settle; give each {_SETTLED} with "
            "--num-prompts, or simulate fewer replicas at their share of the rate",
            err=True,
        )


def _deaths(rate: float, seconds: float, replicas: int, repair: float, seed: int) -> tuple[Failure, ...]:
    """Failures of a fleet, `rate` an hour, for so long."""
    if not rate:
        return ()
    times = arrivals.poisson(rate / 3600, int(rate / 3600 * seconds * 2) + 10, seed + 1)
    which = np.random.default_rng(seed + 1).integers(replicas, size=len(times))
    return tuple(Failure(float(at), int(r), repair) for at, r in zip(times, which, strict=True) if at < seconds)
