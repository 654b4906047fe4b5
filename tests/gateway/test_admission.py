"""Places, the line for them, refusals, estimates."""

import asyncio
from types import SimpleNamespace

import pytest

from framecast.errors import DeadlineTooShort, Overloaded, StageUnavailable
from framecast.gateway.admission import (
    LONGEST_RETRY_SECONDS,
    SHORTEST_RETRY_SECONDS,
    UNKNOWN_RETRY_SECONDS,
    Admission,
)


async def started(ticket):
    """Whether the job may begin now."""
    try:
        await asyncio.wait_for(ticket.turn(), 0.01)
    except asyncio.TimeoutError:
        return False
    return True


async def test_first_come_first_served():
    admission = Admission(2, 3)
    tickets = [admission.admit(str(n)) for n in range(5)]
    assert (admission.live, admission.queued) == (2, 3)
    order = []

    async def job(ticket):
        with ticket:
            await ticket.turn()
            order.append(ticket.request_id)
            assert admission.live <= 2
            await asyncio.sleep(0.01)

    await asyncio.gather(*map(job, reversed(tickets)))
    assert set(order[:2]) == {"0", "1"}
    assert order[2:] == ["2", "3", "4"]
    assert (admission.live, admission.queued) == (0, 0)


async def test_a_full_line_refuses_at_once_with_a_pushback():
    admission = Admission(1, 1)
    first = admission.admit("a")
    admission.admit("b")
    with pytest.raises(Overloaded) as caught:
        admission.admit("c")
    assert caught.value.retry_after == UNKNOWN_RETRY_SECONDS
    first.__exit__(None, None, None)
    admission.admit("c")


@pytest.mark.parametrize(
    ("seconds", "expected"), [(8.0, 4.0), (0.1, SHORTEST_RETRY_SECONDS), (1e6, LONGEST_RETRY_SECONDS)]
)
async def test_the_pushback_is_when_a_place_becomes_free(seconds, expected):
    admission = Admission(2, 0)
    admission.estimator.learn(1.0, 1.0, seconds)
    admission.admit("a")
    admission.admit("b")
    with pytest.raises(Overloaded) as caught:
        admission.admit("c")
    assert caught.value.retry_after == expected


async def test_leaving_the_line_frees_the_place():
    admission = Admission(1, 1)
    with admission.admit("a"):
        queued = admission.admit("b")
        with queued:
            assert not await started(queued)
        assert admission.queued == 0
        third = admission.admit("c")
    assert await started(third)
    assert not await started(queued)


async def test_cancelling_a_queued_job_frees_the_place():
    admission = Admission(1, 1)
    with admission.admit("a"):

        async def wait():
            with admission.admit("b") as ticket:
                await ticket.turn()

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        assert admission.queued == 1
        task.cancel()
        await asyncio.wait({task})
        assert admission.queued == 0


async def test_a_request_id_has_one_ticket_at_a_time():
    admission = Admission(2, 2)
    with admission.admit("same"):
        with pytest.raises(Overloaded, match="'same' is at work already") as caught:
            admission.admit("same")
        assert 2 * caught.value.retry_after >= 30, "a client's two waits outlive a dead connection"
    admission.admit("same")


async def test_draining_refuses_the_new_and_lets_the_admitted_finish():
    admission = Admission(1, 1)
    with admission.admit("a"):
        queued = admission.admit("b")
        admission.drain()
        with pytest.raises(StageUnavailable, match="shutting down"):
            admission.admit("c")
    with queued:
        assert await started(queued)
        idle = asyncio.create_task(admission.idle())
        await asyncio.sleep(0)
        assert not idle.done()
    await asyncio.wait_for(idle, 1)


async def test_a_hopeless_deadline_is_refused_once_something_is_known():
    admission = Admission(1, 2)
    with admission.admit("unknown", work=10, seconds_left=0.001) as ticket:
        assert ticket.first_frame_seconds == 0.0
    admission.estimator.learn(work=10, first_frame_seconds=2.0, service_seconds=6.0)
    admission.estimator.learn(work=10, first_frame_seconds=4.0, service_seconds=10.0)
    with admission.admit("ok", work=10, seconds_left=2.5) as ticket:
        assert ticket.first_frame_seconds == pytest.approx(3.0)  # the median
        # Whose place it is leaves after 6 s at the soonest, and the first frame takes 2 s at the best.
        assert admission.admit("patient", work=10, seconds_left=8.1).first_frame_seconds == pytest.approx(11.0)
        with pytest.raises(DeadlineTooShort, match=r"leaves 7\.9 s and the first frame takes 8\.0 s"):
            admission.admit("queued", work=10, seconds_left=7.9)
    assert admission.admit("small", work=1, seconds_left=20.0).first_frame_seconds == pytest.approx(8.3)


async def test_a_slow_spell_does_not_refuse_for_good():
    admission = Admission(1, 0)
    for _ in range(3):
        admission.estimator.learn(1.0, first_frame_seconds=25.0, service_seconds=30.0)
    for _ in range(3):
        with pytest.raises(DeadlineTooShort):
            admission.admit("hurried", work=1.0, seconds_left=20.0)
    with admission.admit("hurried", work=1.0, seconds_left=20.0) as ticket:
        assert ticket.first_frame_seconds == 25.0, "what is usual is known as before"
    admission.estimator.learn(1.0, first_frame_seconds=24.0, service_seconds=30.0)
    with pytest.raises(DeadlineTooShort):
        admission.admit("passed", work=1.0, seconds_left=0.0)
    with pytest.raises(DeadlineTooShort):
        admission.admit("hurried", work=1.0, seconds_left=20.0)


async def test_one_long_video_does_not_make_places_look_dear():
    """A refusal goes by the shortest that is known; the usual time is for the estimate."""
    admission = Admission(1, 1)
    admission.estimator.learn(1.0, first_frame_seconds=1.0, service_seconds=2.0)
    admission.estimator.learn(1.0, first_frame_seconds=1.0, service_seconds=600.0)
    with admission.admit("at work"), admission.admit("next", seconds_left=120.0) as ticket:
        assert ticket.first_frame_seconds == pytest.approx(302.0)


async def test_a_finished_job_teaches_the_estimator():
    admission = Admission(1, 0)
    with admission.admit("a", work=4) as ticket:
        await ticket.turn()
        ticket.done(first_frame_seconds=2.0)
    assert admission.estimator.first_frame_seconds(2) == 1.0
    assert admission.estimator.service_seconds() > 0


def test_a_small_video_says_little_of_a_large_one():
    estimator = Admission(1, 1).estimator
    estimator.learn(work=1, first_frame_seconds=0.5, service_seconds=1.0)  # most of it a fixed cost
    assert estimator.first_frame_seconds(1000) == 0.5
    assert estimator.fastest_first_frame_seconds(0.5) == 0.25


async def test_who_is_turned_away_is_told_a_time_of_his_own(monkeypatch):
    """All who come back at once meet one place, and most of them have used a try up."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("framecast.gateway.admission.time", SimpleNamespace(monotonic=lambda: clock.now))
    admission = Admission(1, 0)
    admission.estimator.learn(1.0, 1.0, 4.0)
    first = admission.admit("first")

    def turned_away():
        with pytest.raises(Overloaded) as caught:
            admission.admit("late")
        return caught.value.retry_after

    assert [turned_away() for _ in range(3)] == [4.0, 8.0, 12.0]
    first.__exit__(None, None, None)
    admission.admit("one of them")
    clock.now += 9.0
    assert turned_away() == 8.0, "one who will come back, and this one"
    clock.now += 3600.0
    assert turned_away() == 4.0, "who has not come back is not waited for"


async def test_a_busy_spell_that_is_over_refuses_nobody():
    """Five at once are slow; one alone is served as he was before."""
    admission = Admission(5, 5)
    tickets = [admission.admit(str(index)) for index in range(5)]
    assert [ticket.company for ticket in tickets] == [5] * 5
    for ticket in tickets:
        with ticket:
            ticket.done(first_frame_seconds=10.0)
    assert admission.estimator.fastest_first_frame_seconds(1.0) == 2.0
    alone = Admission(1, 0).estimator
    alone.learn(1.0, first_frame_seconds=20.0, service_seconds=30.0, company=6)
    assert alone.fastest_service_seconds(1.0) == 5.0
    assert admission.estimator.first_frame_seconds(1.0) == 10.0
    with admission.admit("hurried", seconds_left=3.0) as ticket:
        assert ticket.company == 1
    with pytest.raises(DeadlineTooShort, match=r"leaves 1\.0 s and the first frame takes 2\.0 s or more"):
        admission.admit("hopeless", seconds_left=1.0)
