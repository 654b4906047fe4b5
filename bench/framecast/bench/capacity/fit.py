"""From a short calibration to a service model."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, median
from typing import Any

import numpy as np

from framecast.bench.capacity.contention import Crowd, without_decodes
from framecast.bench.capacity.film import Film, cut
from framecast.bench.capacity.fitted import Fitted
from framecast.bench.capacity.service import ServiceModel, StepCurve
from framecast.bench.capacity.videos import alone
from framecast.bench.sample import Sample
from framecast.director.model import ServedModel

TOGETHER = 1.25  # a mean batch closer to 1 tells nothing about larger ones: the slope would be noise
MOST_SHARE = 2.0  # a decode that takes more than three times as long beside a step is another problem


@dataclass(frozen=True)
class Measured:
    """Videos of one kind, made at one concurrency.

    Attributes:
        scene_seconds: lengths of their scenes; empty: planned from a story.
        steps: of denoising.
        concurrency: callers in a closed loop.
        samples: the videos.
        mean_batch, mean_step: segments and seconds a denoise step, from Triton's metrics; None: not known, and then
            every step is taken to hold one segment of each caller.
        pixels: width · height.
    """

    scene_seconds: tuple[float, ...]
    steps: int
    concurrency: int
    samples: tuple[Sample, ...] = field(repr=False)
    pixels: int
    mean_batch: float | None = None
    mean_step: float | None = None

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Measured":
        """From `dataclasses.asdict`. Raises TypeError or KeyError when `found` is not one."""
        samples = tuple(Sample.from_json(sample) for sample in found["samples"])
        return cls(**{**found, "scene_seconds": tuple(found["scene_seconds"]), "samples": samples})


def together(runs: Sequence[Measured]) -> Measured:
    """Runs of one kind as one: all samples, and the means of what is known of the steps."""
    known = [
        (run.mean_batch, run.mean_step) for run in runs if run.mean_batch is not None and run.mean_step is not None
    ]
    batch, step = (fmean(column) for column in zip(*known, strict=True)) if known else (None, None)
    return replace(
        runs[0], samples=tuple(sample for run in runs for sample in run.samples), mean_batch=batch, mean_step=step
    )


def fit(runs: Sequence[Measured], served: ServedModel) -> Fitted:
    """Least squares of each stage on what it depends on.

    Raises:
        ValueError: there are no singles (one caller, scenes of one segment) to start from, or a video failed.
    """
    failed = [(run, sample) for run in runs for sample in run.samples if sample.error]
    if failed:
        run, sample = failed[0]
        more = "; give the server as many places, or fewer callers with --concurrency" if run.concurrency > 1 else ""
        raise ValueError(
            f"a calibration needs videos that all end well; with {run.concurrency} callers one ended with "
            f"{sample.error}: {sample.why}{more}"
        )
    if not all(run.samples for run in runs):
        raise ValueError("a calibration needs at least one video of every kind")
    alone_runs = [run for run in runs if run.concurrency == 1 and run.scene_seconds]
    singles = [run for run in alone_runs if _film(run, served).segments == 1]
    if not singles:
        raise ValueError("a calibration needs videos of one segment by one caller")
    residuals: dict[str, float] = {}

    # 1. Denoising: seconds by step count, then by batch size.
    steps, seconds = [run.steps for run in singles], [_stage(run, "denoise") for run in singles]
    _, slope, residuals["denoise"] = line(steps, seconds)
    if not slope > 0:
        raise ValueError("a calibration in which more steps took no longer tells nothing: repeat it on a quiet machine")
    curve, crowds = {1.0: slope}, []
    for run in runs:
        if run.concurrency > 1 and run.scene_seconds and _film(run, served).segments == 1:
            batch = run.mean_batch or float(run.concurrency)
            if batch >= TOGETHER:
                crowds.append(Crowd(_film(run, served), run.concurrency, round(batch, 3)))
                curve[crowds[-1].batch] = run.mean_step or _stage(run, "denoise") / run.steps
    model = ServiceModel(StepCurve(tuple(sorted(curve.items()))), pixels=singles[0].pixels)

    # 2. Decoding and encoding by chunks and frames, text by scene, planning by scene of a story.
    decode_fixed, decode_frame, residuals["decode"] = _chunks(singles, served, "decode")
    encode_fixed, encode_frame, residuals["encode"] = _chunks(singles, served, "review", "encode", "mux")
    stories = [run for run in runs if run.concurrency == 1 and not run.scene_seconds]
    plans = [median(s.stages.get("plan", 0.0) / max(1, s.scenes) for s in run.samples) for run in stories]
    model = replace(
        model,
        decode_fixed=decode_fixed,
        decode_frame=decode_frame,
        encode_fixed=encode_fixed,
        encode_frame=encode_frame,
        text=median(_stage(run, "text") / len(run.scene_seconds) for run in alone_runs),
        plan_scene=median(plans) if plans else 0.0,
    )

    # 3. How much denoising and decoding are in each other's way: from scenes of several segments, and from several
    # callers where their segments went one by one.
    beside = [run for run in runs if run.scene_seconds and (run.concurrency == 1 or _one_by_one(run))]
    shares = [_share(run, model, film) for run in beside if (film := _film(run, served)).segments * run.concurrency > 1]
    model = replace(model, share=median(shares) if shares else 0.0)
    model = replace(model, step=without_decodes(model, crowds))

    # 4. What is left of the served time, spread over the calls; and the way to the client.
    model = replace(model, call=max(0.0, median(_call(run, model, _film(run, served)) for run in singles)))
    wires = [
        sample.wire + (sample.queue or 0.0) for run in singles for sample in run.samples if sample.wire is not None
    ]
    model = replace(model, wire=median(wires) if wires else 0.0)
    latencies = [(alone(_film(run, served), model)[1], median(s.latency for s in run.samples)) for run in singles]
    residuals["latency"] = max(abs(predicted / measured - 1) for predicted, measured in latencies)
    return Fitted(model, served, residuals)


def _film(run: Measured, served: ServedModel) -> Film:
    return cut(run.scene_seconds, served, steps=run.steps, pixels=run.pixels, reference_pixels=run.pixels)


def _stage(run: Measured, *stages: str) -> float:
    return median(sum(sample.stages.get(stage, 0.0) for stage in stages) for sample in run.samples)


def _chunks(runs: Sequence[Measured], served: ServedModel, *stages: str) -> tuple[float, float, float]:
    """(seconds a chunk, seconds a frame, worst relative residual) of stages together."""
    films = [_film(run, served) for run in runs]
    sizes = [film.frames / len(film.chunk_frames) for film in films]
    each = [_stage(run, *stages) / len(film.chunk_frames) for run, film in zip(runs, films, strict=True)]
    return line(sizes, each)


def _one_by_one(run: Measured) -> bool:
    """Several callers' segments were denoised one after the other, not together."""
    return run.mean_batch is not None and run.mean_batch < TOGETHER


def _share(run: Measured, model: ServiceModel, film: Film) -> float:
    """How much longer decodes took beside steps, with every segment's decode but the very last beside the next steps.

    Steps took longer as well, but they are many times the decodes, and where the machine's speed drifts from one run to
    the next their difference is that of two large numbers.
    """
    segments = film.segments * run.concurrency
    decode = sum(model.decode(frames, film.scale) for frames in film.chunk_frames)
    longer = fmean(sample.stages.get("decode", 0.0) for sample in run.samples) / decode - 1 if decode else 0.0
    return min(MOST_SHARE, max(0.0, longer * segments / (segments - 1)))


def _call(run: Measured, model: ServiceModel, film: Film) -> float:
    """Seconds a stage call, so that a video alone takes as long as it did; the pipeline is linear in them."""
    without = alone(film, model)[1]
    calls = alone(film, replace(model, call=1.0))[1] - without
    return (median(sample.served or 0.0 for sample in run.samples) - without) / calls


def line(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """Least squares of y = fixed + slope · x, neither below 0: (fixed, slope, worst relative residual)."""
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    fixed, slope = 0.0, 0.0
    if len(set(x)) > 1:
        slope, fixed = (float(value) for value in np.polyfit(xs, ys, 1))
    if fixed < 0 or len(set(x)) == 1:  # through the origin; a single x cannot tell fixed from slope
        fixed, slope = 0.0, float(xs @ ys / (xs @ xs)) if xs.any() else 0.0
    if slope < 0:
        fixed, slope = float(ys.mean()), 0.0
    worst = float(np.max(np.abs(fixed + slope * xs - ys) / np.maximum(np.abs(ys), 1e-12)))
    return fixed, slope, worst
