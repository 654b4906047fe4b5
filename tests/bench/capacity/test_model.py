"""Fitting, predicting, planning and validating, on servers whose truth is known."""

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.bench.conftest import MODEL

from framecast.bench.arrivals import poisson
from framecast.bench.capacity.film import cut
from framecast.bench.capacity.fit import Measured, fit, line
from framecast.bench.capacity.fitted import Fitted, read_served_model
from framecast.bench.capacity.fleet import Fleet, Routing, Step
from framecast.bench.capacity.judge import judge
from framecast.bench.capacity.plan import Demand, Price, _nearest, plan
from framecast.bench.capacity.predict import capacity, loaded, predict
from framecast.bench.capacity.service import Replica, ServiceModel, StepCurve
from framecast.bench.capacity.simulate import simulate
from framecast.bench.capacity.validate import Load, summarised, validate
from framecast.bench.capacity.videos import alone, script
from framecast.bench.sample import Sample
from framecast.stages.contracts import with_served_model

TRUTH = ServiceModel(
    StepCurve(((1, 0.05), (2, 0.06), (4, 0.09))),
    text=0.01,
    decode_fixed=0.02,
    decode_frame=0.004,
    encode_fixed=0.003,
    encode_frame=0.002,
    call=0.004,
    wire=0.006,
    pixels=64 * 64,
)


def _measured(seconds: float, steps: int, concurrency: int = 1, count: int = 3) -> Measured:
    """What a server of TRUTH would show, to the microsecond."""
    film = cut([seconds], MODEL, steps=steps)
    step = TRUTH.step.seconds(concurrency)
    first, total = alone(film, TRUTH, step)
    chunks = [chunk for item in script(film, TRUTH).items for chunk in item or ()]
    stages = {
        "text": TRUTH.text,
        "denoise": film.segments * steps * step,
        "decode": sum(decode for decode, _ in chunks),
        "encode": 0.75 * sum(encode for _, encode in chunks),
        "mux": 0.25 * sum(encode for _, encode in chunks),
    }
    sample = Sample(
        *(0, 0.0, 0.0, total, 0.0, (first,), film.frames, MODEL.fps, 0),
        *(total - TRUTH.wire, first - TRUTH.wire, stages, 1, film.segments),
    )
    return Measured((seconds,), steps, concurrency, (sample,) * count, 64 * 64)


def test_a_fit_recovers_the_truth() -> None:
    runs = [_measured(3.0, 5), _measured(3.0, 10), _measured(0.5, 5), _measured(3.0, 5, 2), _measured(3.0, 5, 4)]
    found = fit([*runs, _measured(9.0, 5)], MODEL)
    for name, value in asdict(TRUTH).items():
        if name != "step":
            assert getattr(found.service, name) == pytest.approx(value, abs=1e-9), name
    for batch in (1, 2, 3, 4, 6):
        assert found.service.step.seconds(batch) == pytest.approx(TRUTH.step.seconds(batch))
    assert max(found.residuals.values()) < 1e-9
    again = Fitted.from_json(found.to_json())
    assert again == found


def _slower_decodes(run: Measured, factor: float) -> Measured:
    """The same videos with decodes that took longer."""
    stages = {**run.samples[0].stages, "decode": factor * run.samples[0].stages["decode"]}
    return replace(run, samples=tuple(replace(sample, stages=stages) for sample in run.samples))


def test_a_fit_notices_contention() -> None:
    """By hand: beside steps all segments' decodes but the last's take 1.6 times as long."""
    segments = cut([9.0], MODEL, steps=5).segments
    slowed = _slower_decodes(_measured(9.0, 5), 1 + 0.6 * (segments - 1) / segments)
    assert fit([_measured(3.0, 5), _measured(3.0, 10), slowed], MODEL).service.share == pytest.approx(0.6)
    faster = _slower_decodes(_measured(9.0, 5), 0.9)
    assert fit([_measured(3.0, 5), _measured(3.0, 10), faster], MODEL).service.share == 0.0


def test_measured_batches_beat_assumed_ones() -> None:
    run = replace(_measured(3.0, 5, 4), mean_batch=3.2, mean_step=0.075)
    found = fit([_measured(3.0, 5), _measured(3.0, 10), run], MODEL)
    assert found.service.step.seconds(3.2) == pytest.approx(0.075)


def test_steps_measured_beside_decodes_are_charged_for_them_once() -> None:
    """Four callers on a server whose steps and decodes share a device: what is measured of a step has decodes in it."""
    straight = StepCurve(((1, 0.05), (4, 0.095)))  # so that the mean step is the step of the mean batch
    truth = replace(TRUTH, step=straight, share=0.8, decode_frame=0.012)

    def measured(seconds: float, callers: int) -> tuple[float, float]:
        steps: list[Step] = []
        simulate(Fleet(truth), [0.0] * callers, [cut([seconds], MODEL, steps=5)], observe=steps.append)
        count = sum(run.steps for run in steps)
        batch = sum(run.steps * len(run.videos) for run in steps) / count
        return batch, sum(run.steps * run.seconds for run in steps) / count

    def run(seconds: float, steps: int) -> Measured:
        film, old = cut([seconds], MODEL, steps=steps), _measured(seconds, steps)
        decode = sum(truth.decode(frames, 1.0) for frames in film.chunk_frames)
        denoise = old.samples[0].stages["denoise"]
        if film.segments > 1:  # the decodes, but the last segment's, are slowed down as well
            denoise = film.segments * steps * measured(seconds, 1)[1]
            decode *= 1 + truth.share * (film.segments - 1) / film.segments
        stages = {**old.samples[0].stages, "decode": decode, "denoise": denoise}
        return replace(old, samples=(replace(old.samples[0], stages=stages),))

    batch, step = measured(3.0, 4)
    assert batch > 1.5
    assert step > 1.15 * straight.seconds(batch)
    crowd = replace(_measured(3.0, 5, 4), mean_batch=batch, mean_step=step)
    found = fit([run(3.0, 5), run(3.0, 10), run(0.5, 5), run(9.0, 5), crowd], MODEL).service
    assert found.share == pytest.approx(0.8, rel=0.15)
    assert found.step.seconds(batch) == pytest.approx(straight.seconds(batch), rel=0.05)


def test_a_fit_needs_singles_that_ended_well() -> None:
    with pytest.raises(ValueError, match="one segment by one caller"):
        fit([_measured(9.0, 5)], MODEL)
    bad = replace(_measured(3.0, 5), samples=(Sample(0, 0, 0, 1, error="Unavailable", why="gone"),))
    with pytest.raises(ValueError, match=r"with 1 callers one ended with Unavailable: gone"):
        fit([bad], MODEL)


def test_a_fit_hears_of_contention_from_callers_whose_segments_went_one_by_one() -> None:
    """Four at once: three decodes run beside the next one's steps, the last one alone."""
    singles = [_measured(3.0, 5), _measured(3.0, 10)]
    crowd = _slower_decodes(replace(_measured(3.0, 5, 4), mean_batch=1.1, mean_step=0.06), 1 + 0.6 * 3 / 4)
    assert fit([*singles, crowd], MODEL).service.share == pytest.approx(0.6)
    together = replace(crowd, mean_batch=3.0)
    assert fit([*singles, together], MODEL).service.share == 0.0


def test_a_line_is_never_negative() -> None:
    assert line([1, 2, 3], [3, 5, 7]) == pytest.approx((1, 2, 0))
    assert line([1, 2], [1, 3])[:2] == pytest.approx((0.0, 7 / 5))  # the free fit would begin below 0
    assert line([1, 2, 3], [6, 5, 4])[:2] == pytest.approx((5, 0))
    assert line([4, 4], [2, 2])[:2] == pytest.approx((0, 0.5))


def test_a_step_curve_is_linear_between_and_beyond_its_points() -> None:
    curve = StepCurve(((1.0, 1.0), (2.0, 1.2), (4.0, 2.0)))
    assert [curve.seconds(batch) for batch in (1, 1.5, 2, 3, 4, 6)] == pytest.approx([1, 1.1, 1.2, 1.6, 2, 2.8])
    assert curve.efficiency(2) == pytest.approx(2 / 1.2)
    assert StepCurve(((1.0, 0.5),)).seconds(3) == 1.5
    with pytest.raises(ValueError, match="ascending"):
        StepCurve(((2.0, 1.0), (1.0, 1.0)))


FLAT = replace(TRUTH, step=StepCurve(((1, 0.05), (2, 0.1), (4, 0.2))))


@pytest.mark.parametrize("seconds", [3.0, 9.0])
@pytest.mark.parametrize(
    ("service", "share"),
    [(TRUTH, 0.1), (TRUTH, 0.5), (TRUTH, 0.7), (FLAT, 0.1), (FLAT, 0.5), (FLAT, 0.7), (FLAT, 0.85)],
)
def test_the_formula_agrees_with_the_simulation(service: ServiceModel, seconds: float, share: float) -> None:
    """Where batches pay and where they do not; scenes of one segment and of several."""
    film, replica = cut([seconds], MODEL), Replica(max_queued_videos=500)
    rate = share * capacity(service, replica, [film])
    formula = predict(service, replica, [film], rate)
    found = summarised(simulate(Fleet(service, replica), poisson(rate, 8_000, seed=7), [film]), 0.1)
    for name, value, tolerance in (
        ("latency_mean", formula.latency_mean, 0.08),
        ("latency_p95", formula.latency_p95, 0.15),
        ("ttff_median", formula.ttff_p50, 0.20),
        ("ttff_p95", formula.ttff_p95, 0.15),
        ("throughput_qps", formula.throughput_qps, 0.03),
    ):
        assert found[name] == pytest.approx(value, rel=tolerance), name
    assert formula.refused_rate < 1e-6


@pytest.mark.parametrize("seconds", [3.0, 9.0])
@pytest.mark.parametrize("load", [0.2, 0.5, 0.7])
def test_the_formula_knows_what_shares_a_processor(seconds: float, load: float) -> None:
    """Steps and decodes in each other's way: rougher, but on the way to the same capacity."""
    film, replica = cut([seconds], MODEL), Replica(max_queued_videos=500)
    shared = replace(FLAT, share=0.8)
    rate = load * capacity(shared, replica, [film])
    formula = predict(shared, replica, [film], rate)
    found = summarised(simulate(Fleet(shared, replica), poisson(rate, 8_000, seed=7), [film]), 0.1)
    assert found["latency_mean"] == pytest.approx(formula.latency_mean, rel=0.2)
    assert found["latency_p95"] == pytest.approx(formula.latency_p95, rel=0.3)
    rushed = summarised(simulate(Fleet(shared, Replica(max_queued_videos=10**6)), [0.0] * 500, [film]))
    assert rushed["throughput_qps"] == pytest.approx(capacity(shared, replica, [film]), rel=0.15)


def test_an_idle_replica_is_as_fast_as_one_video_alone() -> None:
    film, replica = cut([9.0], MODEL), Replica()
    assert loaded(film, TRUTH, replica, 1) == pytest.approx(alone(film, TRUTH))
    found = predict(TRUTH, replica, [film], 1e-6)
    assert (found.ttff_p50, found.latency_p50) == pytest.approx(alone(film, TRUTH), rel=1e-5)


def test_a_slow_encoder_bounds_the_throughput() -> None:
    film = cut([3.0], MODEL)
    slow = replace(TRUTH, encode_frame=1.0)
    encode = sum(slow.encode(frames, 1.0) for frames in film.chunk_frames)
    assert capacity(slow, Replica(), [film]) == pytest.approx(1 / encode)
    assert capacity(slow, Replica(encode_cores=2), [film]) == pytest.approx(2 / encode)
    found = simulate(Fleet(slow, Replica(max_queued_videos=10**6)), poisson(1.0, 500), [film])
    assert summarised(found)["throughput_qps"] == pytest.approx(1 / encode, rel=0.02)


def test_beyond_its_capacity_a_replica_refuses() -> None:
    film, replica = cut([3.0], MODEL), Replica()
    rate = 2 * capacity(TRUTH, replica, [film])
    formula = predict(TRUTH, replica, [film], rate)
    found = summarised(simulate(Fleet(TRUTH, replica), poisson(rate, 6000), [film]), 0.1)
    assert formula.refused_rate == pytest.approx(0.5, abs=0.03)
    assert found["refused_rate"] == pytest.approx(formula.refused_rate, abs=0.04)


def test_a_curve_never_falls_to_nothing() -> None:
    falling = StepCurve(((1, 0.4), (2, 0.3)))
    assert falling.seconds(1.5) == pytest.approx(0.35)
    assert falling.seconds(8) == 0.3
    rising = StepCurve(((2, 0.3), (4, 0.5)))
    assert (rising.seconds(1), rising.seconds(6)) == (pytest.approx(0.2), pytest.approx(0.7))
    with pytest.raises(ValueError, match="seconds above 0"):
        StepCurve(((1, 0.0),))


def test_videos_that_wait_at_the_batcher_are_not_refused() -> None:
    replica, film = Replica(max_live_videos=64, max_queued_videos=0), cut([0.0], MODEL)
    rate = 0.9 * capacity(TRUTH, replica, [film])
    assert predict(TRUTH, replica, [film], rate, 1).refused_rate < 0.01
    assert judge(TRUTH, replica, [film], rate, 1).refused_rate < 0.01


def test_the_plan_is_the_smallest_fleet() -> None:
    film, demand = cut([3.0], MODEL), Demand(20_000, latency_p95=0.9)
    found = plan(TRUTH, Replica(), [film], demand, Price(3.5, 100, 700))
    assert found.replicas is not None
    assert found.simulated.latency_p95 is not None
    assert found.simulated.latency_p95 <= 0.9
    less = judge(TRUTH, Replica(), [film], 20_000 / 3600, found.replicas - 1)
    assert less.latency_p95 is not None
    assert less.latency_p95 > 0.9 or less.refused_rate > 0.01
    made = 20_000 * (1 - found.simulated.refused_rate)
    assert found.dollars_per_video == pytest.approx(found.replicas * 3.5 / made)
    watts = found.replicas * (100 + 600 * found.simulated.busy)
    assert found.energy_per_video_j == pytest.approx(watts * 3600 / made)


@pytest.mark.parametrize("routing", [Routing.RANDOM, Routing.ROUND_ROBIN])
def test_a_plan_holds_in_a_simulation_of_its_whole_fleet(routing: Routing) -> None:
    """Scenes of several segments, where the formula promises too much: other draws, and every replica played."""
    film, demand = cut([9.0], MODEL), Demand(6000, latency_p95=2.6)
    judged = partial(judge, TRUTH, Replica(), [film], 6000 / 3600, routing=routing, videos=8000)
    found = plan(TRUTH, Replica(), [film], demand, judged=judged)
    assert found.replicas is not None
    whole = simulate(
        Fleet(TRUTH, Replica(), found.replicas, routing), poisson(6000 / 3600, 20_000, seed=99), [film], seed=99
    )
    p95 = summarised(whole, 0.1)["latency_p95"]
    assert p95 == pytest.approx(found.simulated.latency_p95, rel=0.06)
    assert p95 is not None
    assert p95 < 1.05 * 2.6
    busy = (whole.busy["denoise"] + whole.busy["decode"]) / found.replicas / np.nanmax(whole.ended)
    assert found.simulated.busy == pytest.approx(min(1.0, busy), rel=0.05)


def test_the_nearest_number_that_serves_is_found_from_anywhere() -> None:
    for least in (1, 2, 3, 17, 400, 999):
        for start in (1, 5, 40, 1000):
            assert least <= _nearest(lambda n, least=least: n >= least, start, 1000) <= least + max(1, least // 40)


def test_a_bound_below_one_video_alone_has_no_plan() -> None:
    found = plan(TRUTH, Replica(), [cut([3.0], MODEL)], Demand(100, latency_p95=0.01), most=1000)
    assert found.replicas is None
    assert found.prediction.latency_p95 > 0.01


def test_validation_compares_with_the_measurement() -> None:
    """A "measurement" made by the simulator itself: the simulation must repeat it, and errors must show."""
    film, rate = cut([3.0], MODEL), 2.0
    found = simulate(Fleet(TRUTH), poisson(rate, 500, seed=9), [film])
    samples = [
        Sample(i, arrived, arrived, ended, arrived, (first,), film.frames, MODEL.fps)
        for i, (arrived, first, ended) in enumerate(zip(found.arrived, found.first, found.ended, strict=True))
    ]
    rows = {row.figure: row for row in validate(TRUTH, Replica(), Load([film], [0] * 500, samples), 1.0)}
    assert rows["latency_p95"].simulated_error == pytest.approx(0, abs=1e-9)
    assert rows["ttff_median"].simulated_error == pytest.approx(0, abs=1e-9)
    assert abs(rows["latency_median"].formula_error or 1.0) < 0.1
    wrong = replace(TRUTH, step=StepCurve(((1, 0.1), (2, 0.12), (4, 0.18))))
    off = {row.figure: row for row in validate(wrong, Replica(), Load([film], [0] * 500, samples), 1.0)}
    assert (off["latency_median"].simulated_error or 0) > 0.5
    assert off["latency_median"].to_json()["simulated_error"] == off["latency_median"].simulated_error
    few = {row.figure: row for row in validate(TRUTH, Replica(), Load([film], [0] * 20, samples[:20]), 1.0)}
    assert few["latency_p95"].measured is None
    assert few["latency_p95"].formula_error is None
    with pytest.raises(ValueError, match="without a video"):
        validate(TRUTH, Replica(), Load([film], [], []))
    at_once = [replace(sample, intended=0.0) for sample in samples[:2]]
    with pytest.raises(ValueError, match="has no rate"):
        validate(TRUTH, Replica(), Load([film], [0] * 2, at_once))


def test_validation_knows_which_video_was_of_which_kind() -> None:
    short, long = cut([0.5], MODEL), cut([3.0, 9.0], MODEL)
    order = [index % 3 == 0 for index in range(300)]
    times = poisson(1.0, 300, seed=4)
    found = simulate(Fleet(TRUTH), times, [short, long], order=order)
    samples = [
        Sample(i, arrived, arrived, ended, arrived, (first,), 1, MODEL.fps)
        for i, (arrived, first, ended) in enumerate(zip(found.arrived, found.first, found.ended, strict=True))
    ]
    load = Load([short, long], order, samples)
    assert load.rate == pytest.approx(300 / times[-1])
    assert load.ca2 == pytest.approx(1.0, abs=0.25)
    assert [film.weight for film in load.mix] == [200, 100]
    rows = {row.figure: row for row in validate(TRUTH, Replica(), load)}
    assert rows["latency_p95"].simulated_error == pytest.approx(0, abs=1e-9)
    assert abs(rows["throughput_qps"].formula_error or 1.0) < 0.05
    swapped = {row.figure: row for row in validate(TRUTH, Replica(), replace(load, films=[long, short]))}
    assert abs(swapped["latency_p95"].simulated_error or 0) > 0.1


def test_a_machine_that_became_slower_is_told_from_a_model_that_is_wrong() -> None:
    slow, film = TRUTH.scaled(1.3), cut([3.0], MODEL)
    assert {name: getattr(slow, name) for name in ("share", "pixels")} == {"share": 0.0, "pixels": 64 * 64}
    assert alone(film, slow)[1] == pytest.approx(1.3 * alone(film, TRUTH)[1])
    steps: list[Step] = []
    found = simulate(Fleet(slow), poisson(2.0, 300, seed=9), [film], observe=steps.append)
    samples = [
        Sample(i, arrived, arrived, ended, arrived, (first,), film.frames, MODEL.fps)
        for i, (arrived, first, ended) in enumerate(zip(found.arrived, found.first, found.ended, strict=True))
    ]
    seconds = sum(run.steps * run.seconds for run in steps) / sum(run.steps for run in steps)
    load = Load([film], [0] * 300, samples, seconds)
    off = {row.figure: row for row in validate(TRUTH, Replica(), load, 1.0)}
    assert (off["latency_p95"].simulated_error or 0) < -0.2
    assert (off["step_seconds"].simulated_error or 0) < -0.1
    own = {row.figure: row for row in validate(TRUTH, Replica(), load, 1.0, at_its_speed=True)}
    assert abs(own["latency_p95"].simulated_error or 1) < 0.1
    with pytest.raises(ValueError, match="leave out --at-its-speed"):
        validate(TRUTH, Replica(), replace(load, step_seconds=None), at_its_speed=True)


def test_the_served_models_constants_are_read_from_its_repository(tmp_path: Path) -> None:
    folder = tmp_path / "denoiser"
    folder.mkdir()
    (folder / "config.pbtxt").write_text(with_served_model('name: "denoiser"\n', MODEL.to_json()))
    assert read_served_model(tmp_path) == MODEL
    (folder / "config.pbtxt").write_text('name: "denoiser"\n')
    with pytest.raises(ValueError, match="not a served repository"):
        read_served_model(tmp_path)


def test_a_broken_model_is_refused() -> None:
    good = fit([_measured(3.0, 5), _measured(3.0, 10)], MODEL).to_json()
    for change in ({"service": {}}, {"served": {}}, {"service": {**good["service"], "speed": 1}}):
        with pytest.raises(ValueError, match=r"not a service model|unknown costs"):
            Fitted.from_json({**good, **change})


def test_rates_must_be_positive() -> None:
    with pytest.raises(ValueError, match="above 0"):
        predict(TRUTH, Replica(), [cut([3.0], MODEL)], 0.0)
    assert np.isfinite(predict(TRUTH, Replica(), [cut([3.0], MODEL)], 1e9).latency_p99)
