"""The simulator against closed forms, the real director and itself."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.bench.conftest import MODEL

from framecast.bench.arrivals import bursty, constant, poisson
from framecast.bench.capacity.film import Film, cut
from framecast.bench.capacity.fleet import Failure, Fleet, Routing
from framecast.bench.capacity.judge import judge
from framecast.bench.capacity.service import Replica, ServiceModel, StepCurve
from framecast.bench.capacity.simulate import simulate
from framecast.bench.capacity.validate import summarised
from framecast.bench.capacity.videos import Status, alone
from framecast.director import video
from framecast.director.director import Director
from framecast.director.video import StoryRequest, VideoSpec
from framecast.planner.storyboard import Scene
from framecast.stages.types import Encoded, Floats, Latents, Planned, TextStates

ONE_AT_A_TIME = Replica(max_live_videos=1, max_queued_videos=10**9)
SERVICE = ServiceModel(
    StepCurve(((1, 0.05), (2, 0.06), (4, 0.1))),
    plan_fixed=0.2,
    plan_scene=0.3,
    text=0.01,
    decode_fixed=0.02,
    decode_frame=0.01,
    encode_fixed=0.005,
    encode_frame=0.002,
    call=0.004,
)


def _waits(arrivals: np.ndarray, films: list[Film], order: np.ndarray) -> tuple[float, float]:
    """(mean, 95th percentile) of the waits at one server, a step a second, the first tenth left out."""
    found = simulate(Fleet(ServiceModel(StepCurve(((1, 1.0),))), ONE_AT_A_TIME), arrivals, films, order=order)
    steps = np.array([film.steps for film in films])[order]
    waits = (found.ended - found.arrived - steps)[len(arrivals) // 10 :]
    return float(waits.mean()), float(np.quantile(waits, 0.95))


def test_fixed_service_is_m_d_1() -> None:
    """Mean wait ρ ÷ (2 (1 - ρ)) service times; P(W ≤ t) by Erlang's series, 0.7 load: 95 % within 3.78 of them."""
    load, steps, count = 0.7, 100, 100_000
    mean, p95 = _waits(poisson(load / steps, count), [Film((((1,),),), steps)], np.zeros(count, int))
    assert mean / steps == pytest.approx(load / (2 * (1 - load)), rel=0.04)
    assert p95 / steps == pytest.approx(_md1_quantile(load, 0.95), rel=0.05)


def test_exponential_service_is_m_m_1() -> None:
    """Step counts drawn from the geometric distribution, the exponential's twin on whole steps: mean wait
    ρ ÷ (1 - ρ), P(W > t) = ρ exp(-(1 - ρ) t), in service times.
    """
    load, steps, count = 0.6, 200, 100_000
    films = [Film((((1,),),), n) for n in range(1, 12 * steps)]
    order = np.minimum(np.random.default_rng(1).geometric(1 / steps, count), len(films)) - 1
    mean, p95 = _waits(poisson(load / steps, count, seed=2), films, order)
    assert mean / steps == pytest.approx(load / (1 - load), rel=0.06)
    assert p95 / steps == pytest.approx(np.log(load / 0.05) / (1 - load), rel=0.06)


def _md1_quantile(load: float, p: float) -> float:
    """Of the wait in M/D/1 with service 1 (Erlang 1909; see Gross & Harris, Fundamentals of Queueing Theory)."""

    def cdf(t: float) -> float:
        total, term_sum = int(t), 0.0
        for k in range(total + 1):
            x = load * (k - t)
            term_sum += np.exp(-x) * x**k / float(np.prod(np.arange(1, k + 1, dtype=float)))
        return (1 - load) * term_sum

    low, high = 0.0, 30.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if cdf(middle) < p else (low, middle)
    return high


class FakeStages:
    """Stages that take the service model's time on the loop's clock, and nothing else."""

    async def plan(self, story: str, max_scenes: int) -> AsyncGenerator[Planned, None]:
        await asyncio.sleep(SERVICE.plan_fixed + SERVICE.call)
        for _ in range(2):
            await asyncio.sleep(SERVICE.plan_scene)
            yield Planned(Scene("a kitten", 4.0), SERVICE.plan_scene)

    async def encode_text(self, prompt: str, negative_prompt: str, *, scene: int) -> TextStates:
        await asyncio.sleep(SERVICE.text + SERVICE.call)
        return TextStates(np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32), SERVICE.text)

    async def denoise(self, states: TextStates, *, steps: int, latent_count: int, **_: Any) -> Latents:
        await asyncio.sleep(steps * SERVICE.step.seconds(1) + SERVICE.call)
        return Latents(np.zeros((latent_count, 1, 1, 1), np.float32), 0.0)

    async def decode(self, latents: Floats, *, frames: int, **_: Any) -> Encoded:
        await asyncio.sleep(SERVICE.decode(frames, 1.0) + SERVICE.encode(frames, 1.0) + SERVICE.call)
        return Encoded((b"x",), "video/mp4", 0.0, 0.0, 0.0)


async def _directed(seconds: list[float], steps: int, planned: bool) -> tuple[float, float]:
    """(first chunk, end) of a video by the real director."""

    async def scenes() -> AsyncIterator[Scene]:
        for length in seconds:
            yield Scene("a kitten", length)

    spec = VideoSpec("v", 64, 64, MODEL.fps, 1, steps, 2.0, "h264")
    clock, first = asyncio.get_running_loop().time, 0.0
    async for event in Director(FakeStages(), MODEL).run(spec, StoryRequest("story", 4) if planned else scenes()):
        if isinstance(event, video.Chunk):
            first = first or clock()
    return first, clock()


@pytest.mark.parametrize(
    ("seconds", "steps", "planned"),
    [([0.0], 5, False), ([9.0], 5, False), ([9.0, 0.5, 5.0], 5, False), ([9.0, 3.0], 1, False), ([4.0, 4.0], 5, True)],
)
def test_one_video_takes_what_the_real_director_takes(
    virtually: Any, seconds: list[float], steps: int, planned: bool
) -> None:
    """Denoise-bound and decode-bound (one step), several segments and scenes, and a planned story."""
    first, end = virtually(_directed(seconds, steps, planned))
    film = cut(seconds, MODEL, steps=steps, planned=planned)
    found = simulate(Fleet(SERVICE), [0.0], [film])
    assert (found.first[0], found.ended[0]) == pytest.approx((first, end), rel=1e-9)
    assert alone(film, SERVICE) == pytest.approx((first, end), rel=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.7])
def test_the_shortcut_changes_nothing(share: float) -> None:
    """A run of steps as one event gives what one event a step gives: mixed lengths and shapes, bursts, failures."""
    films = [cut([2.0], MODEL, steps=3), cut([9.0, 4.0], MODEL, steps=10), replace(cut([5.0], MODEL), bucket=9)]
    times = bursty(2.5, 800, seed=3)
    odd = {"call": 0.00412345, "text": 0.01012387, "decode_fixed": 0.0201357, "encode_fixed": 0.00517}
    service = replace(SERVICE, share=share, **odd)  # so that no call ends just when a step does
    fleet = Fleet(
        *(service, Replica(max_live_videos=6, max_live=5, max_batch=3), 3),
        *(Routing.TWO_CHOICES, (Failure(20.0, 1, 3.0), Failure(60.0, 0, 50.0))),
    )
    quick = simulate(fleet, times, films, seed=1)
    slow = simulate(replace(fleet, single_steps=True), times, films, seed=1)
    np.testing.assert_array_equal(quick.status, slow.status)
    np.testing.assert_allclose(quick.ended, slow.ended, rtol=1e-9)
    np.testing.assert_allclose(quick.first, slow.first, rtol=1e-9)
    assert quick.batches == slow.batches
    assert {Status.DONE, Status.REFUSED} <= set(quick.status)


def test_every_video_ends_and_none_is_served_twice() -> None:
    times = poisson(6.0, 3000, seed=5)
    found = simulate(Fleet(SERVICE, Replica(), 3), times, [cut([2.0], MODEL), cut([9.0], MODEL)])
    assert (found.status != Status.UNKNOWN).all()
    done = found.status == Status.DONE
    assert np.isnan(found.ended[~done]).all()
    assert (found.ended[done] >= found.first[done]).all()
    assert sum(size * number for size, number in found.batches.items()) % MODEL.steps == 0


def test_admission_holds_and_refuses() -> None:
    film = cut([0.0], MODEL)
    found = simulate(Fleet(SERVICE, Replica(max_live_videos=2, max_queued_videos=3)), [0.0] * 8, [film])
    assert found.status.tolist() == [Status.DONE] * 5 + [Status.REFUSED] * 3
    assert max(found.batches) == 2
    assert found.first[2] > found.ended[:2].min()  # a queued video begins when a place is free


def test_a_dead_denoiser_delays_and_a_long_death_fails() -> None:
    film = cut([0.0], MODEL, steps=10)
    alone_for = alone(film, SERVICE)[1]
    at = 0.3
    short = simulate(Fleet(SERVICE, failures=(Failure(at, 0, 2.0),)), [0.0], [film])
    began = SERVICE.text + SERVICE.call  # the segment is denoised again from its first step
    assert short.ended[0] == pytest.approx(at + 2.0 + alone_for - began)
    long = simulate(Fleet(SERVICE, failures=(Failure(at, 0, 60.0),)), [0.0, 1.0], [film])
    assert long.status.tolist() == [Status.FAILED, Status.REFUSED]
    others = simulate(Fleet(SERVICE, replicas=2, failures=(Failure(at, 0, 60.0),)), [0.5, 1.0], [film])
    assert others.status.tolist() == [Status.DONE, Status.DONE]


def test_a_full_batcher_is_waited_for_as_the_server_does() -> None:
    film = cut([0.0], MODEL, steps=10)
    narrow = Replica(max_live_videos=4, max_live=1, max_batch=1, max_waiting=0)
    found = simulate(Fleet(SERVICE, narrow), [0.0] * 4, [film])
    assert found.status.tolist() == [Status.DONE] * 4
    impatient = simulate(Fleet(SERVICE, replace(narrow, patience=0.3)), [0.0] * 4, [film])
    assert set(impatient.status.tolist()) == {Status.DONE, Status.FAILED}
    # Who fails is not served: a fleet is not called enough for that.
    judged = judge(SERVICE, replace(narrow, patience=0.3), [film], rate=3.0, replicas=1, videos=1000)
    assert judged.refused_rate > 0.3


def test_ties_of_steps_and_arrivals_change_nothing() -> None:
    service = ServiceModel(StepCurve(((1, 0.1), (2, 0.1))))
    quick = Fleet(service, Replica(max_batch=2))
    films, times = [cut([2.0], MODEL, steps=3)], [0.0, 0.0]
    assert simulate(quick, times, films).batches == simulate(replace(quick, single_steps=True), times, films).batches


def test_two_choices_beat_chance() -> None:
    film, times = cut([0.0], MODEL), poisson(40.0, 6000, seed=1)
    latency = {
        routing: summarised(simulate(Fleet(SERVICE, Replica(), 20, routing), times, [film], seed=3), 0.1)
        for routing in (Routing.RANDOM, Routing.TWO_CHOICES)
    }
    random, chosen = (latency[routing]["latency_p95"] for routing in (Routing.RANDOM, Routing.TWO_CHOICES))
    assert random is not None
    assert chosen is not None
    assert chosen < 0.9 * random


def test_contention_slows_what_overlaps_and_nothing_else() -> None:
    single, long = cut([0.0], MODEL), cut([9.0], MODEL)
    shared = replace(SERVICE, share=1.0)
    for film, changes in ((single, False), (long, True)):
        apart = simulate(Fleet(SERVICE), [0.0], [film]).ended[0]
        together = simulate(Fleet(shared), [0.0], [film]).ended[0]
        assert (together > apart) == changes


def test_thousands_of_replicas() -> None:
    found = simulate(Fleet(SERVICE, replicas=3000), constant(3000.0, 6000), [cut([0.0], MODEL)])
    assert (found.status == Status.DONE).all()
    assert found.events < 15 * 6000  # whatever the number of steps
    assert found.videos_per_second > 0
    assert summarised(found)["refused_rate"] == 0
