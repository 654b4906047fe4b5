"""A discrete-event simulation of a fleet: gateways, directors, step batchers, decoders and encoders.

Time moves from event to event, and a run of denoise steps whose batch cannot change is one event, so the cost is a
dozen events a video whatever the number of steps. Replicas share one clock; only the router couples them.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framecast.bench.capacity.film import Film
from framecast.bench.capacity.fleet import Failure, Fleet, Routing, Simulated, Step
from framecast.bench.capacity.policy import BatchPolicy, SimJob
from framecast.bench.capacity.processor import Events, Processor, Task
from framecast.bench.capacity.service import Replica
from framecast.bench.capacity.videos import Status, Video, script
from framecast.denoiser.turns import Costs
from framecast.director.director import DirectorConfig


def simulate(
    fleet: Fleet,
    arrivals: Sequence[float] | NDArray[np.float64],
    films: Sequence[Film],
    *,
    order: Sequence[int] | NDArray[np.int64] | None = None,
    seed: int = 0,
    observe: Callable[[Step], None] | None = None,
) -> Simulated:
    """Simulates videos that are asked for at `arrivals`.

    Args:
        fleet: the servers.
        arrivals: seconds, ascending.
        films: kinds of video.
        order: index of each video's film; left out, drawn by weight.
        seed: of the draws: films and routes.
        observe: is told of every run of denoise steps.
    """
    generator = np.random.default_rng(seed)
    times = np.asarray(arrivals, np.float64)
    if order is None:
        weights = np.array([film.weight for film in films])
        order = generator.choice(len(films), len(times), p=weights / weights.sum())
    return _Simulation(fleet, times, films, np.asarray(order), generator, observe).run()


class _Server:
    """A replica's state."""

    __slots__ = (
        *("number", "policy", "live", "queue", "texts", "encoders", "planner_free", "down_until", "batch", "step"),
        *("steps", "processor", "to_decode"),
    )

    def __init__(self, number: int, limits: Replica, costs: Costs, processor: Processor) -> None:
        self.number = number
        self.policy = BatchPolicy(limits.batcher, costs)
        self.live = 0
        self.queue: deque[Video] = deque()
        self.texts = [0.0] * limits.text_instances
        self.encoders = [0.0] * limits.encode_cores
        self.planner_free = self.down_until = self.step = 0.0
        self.batch: list[SimJob] = []
        self.steps = 0
        self.processor = processor
        self.to_decode: deque[Task] = deque()

    @property
    def load(self) -> int:
        """Videos at work and waiting."""
        return self.live + len(self.queue)


class _Simulation:
    def __init__(
        self,
        fleet: Fleet,
        arrivals: NDArray[np.float64],
        films: Sequence[Film],
        order: NDArray[np.int64],
        generator: np.random.Generator,
        observe: Callable[[Step], None] | None,
    ) -> None:
        self._service, self._limits, self._fleet = fleet.service, fleet.replica, fleet
        self._arrivals, self._order = arrivals.tolist(), order.tolist()
        self._scripts = [script(film, fleet.service) for film in films]
        self._routes: list[list[int]] = generator.integers(0, fleet.replicas, (len(arrivals), 2)).tolist()
        self._costs = [
            fleet.service.step.seconds(batch) if batch else 0.0 for batch in range(fleet.replica.max_batch + 1)
        ]
        costs, self._events = self._costs, Events()
        self._at = self._events.at
        self._servers = [
            _Server(number, fleet.replica, lambda _, batch: costs[batch], Processor(self._events, fleet.service.share))
            for number in range(fleet.replicas)
        ]
        self._observe = observe
        self._submitted = self._happened = 0
        count = len(arrivals)
        self._first, self._ended, self._status = [float("nan")] * count, [float("nan")] * count, [0] * count
        self._batches = [0] * (fleet.replica.max_batch + 1)
        self._busy = {"denoise": 0.0, "decode": 0.0, "encode": 0.0}

    def run(self) -> Simulated:
        """Plays every event."""
        started, events, arrivals = time.perf_counter(), self._events, self._arrivals
        for failure in self._fleet.failures:
            self._at(failure.at, self._fail, failure)
        index, count = 0, len(arrivals)
        while True:
            if index < count and arrivals[index] <= events.next:
                events.now = arrivals[index]
                self._arrive(index)
                index += 1
            elif events.next < math.inf:
                events.happen()
            else:
                break
            self._happened += 1
        return Simulated(
            np.array(arrivals),
            np.array(self._first),
            np.array(self._ended),
            np.array(self._status, np.int8),
            {size: number for size, number in enumerate(self._batches) if number},
            self._busy,
            self._happened,
            time.perf_counter() - started,
        )

    def _arrive(self, index: int) -> None:
        server, limits = self._route(index), self._limits
        if server is None:
            self._status[index] = Status.REFUSED
            return
        video = Video(index, self._scripts[self._order[index]], server)
        if server.live < limits.max_live_videos:
            self._begin(video)
        elif len(server.queue) < limits.max_queued_videos:
            server.queue.append(video)
        else:
            self._status[index] = Status.REFUSED

    def _route(self, index: int) -> _Server | None:
        servers, routing = self._servers, self._fleet.routing
        first, second = self._routes[index]
        if routing is Routing.ROUND_ROBIN:
            first = index % len(servers)
        elif routing is Routing.TWO_CHOICES and servers[second].load < servers[first].load:
            first = second
        if servers[first].down_until <= self._events.now:
            return servers[first]
        turned = (servers[(first + further) % len(servers)] for further in range(1, len(servers)))
        return next((server for server in turned if server.down_until <= self._events.now), None)

    def _begin(self, video: Video) -> None:
        server: Any = video.replica
        server.live += 1
        if video.script.film.planned:
            service = self._service
            start = max(self._events.now, server.planner_free) + service.plan_fixed
            written = [start + (scene + 1) * service.plan_scene for scene in range(len(video.script.film.scenes))]
            server.planner_free = written[-1] if written else start
            video.ready = [moment + service.call for moment in written]
        self._make(video)

    def _end(self, video: Video, status: Status) -> None:
        server: Any = video.replica
        video.over = True
        self._status[video.index] = status
        if status is Status.DONE:
            self._ended[video.index] = self._events.now + self._service.wire
        server.live -= 1
        if server.queue:
            self._begin(server.queue.popleft())

    def _make(self, video: Video) -> None:
        if video.over or video.made == len(video.script.items):
            return
        if video.script.items[video.made] is not None:
            self._submit(video)
            return
        ready = video.ready[video.scenes] if video.ready else 0.0
        video.scenes += 1
        if ready > self._events.now:
            self._at(ready, self._put, video)
        else:
            self._put(video)

    def _put(self, video: Video) -> None:
        if video.over:
            return
        if video.ahead >= self._limits.segments_ahead:
            video.blocked = True
            return
        video.ahead += 1
        self._put_done(video)
        if video.idle:
            self._take(video)

    def _put_done(self, video: Video) -> None:
        scene = video.script.items[video.made] is None
        video.made += 1
        if scene:
            server: Any = video.replica
            self._at(self._call(server.texts, self._service.text) + self._service.call, self._make, video)
        else:
            self._make(video)

    def _take(self, video: Video) -> None:
        while video.ahead:
            chunks = video.script.items[video.taken]
            video.taken += 1
            video.ahead -= 1
            video.idle = chunks is None
            if video.blocked:
                video.blocked = False
                video.ahead += 1
                self._put_done(video)
            if chunks is not None:
                video.chunk = 0
                self._decode(video)
                return
        if video.taken == len(video.script.items) and not video.over:
            self._end(video, Status.DONE)

    def _decode(self, video: Video) -> None:
        server: Any = video.replica
        task = Task(self._chunk(video)[0], self._decoded, video)
        if len(server.processor.decoding) < self._limits.decode_instances:
            server.processor.decode(task)
        else:
            server.to_decode.append(task)

    def _decoded(self, video: Video) -> None:
        server: Any = video.replica
        task = next(task for task in server.processor.decoding if task.whose is video)
        self._busy["decode"] += self._events.now - task.began
        server.processor.decoded(task, server.to_decode.popleft() if server.to_decode else None)
        if not video.over:
            seconds = self._chunk(video)[1]
            self._busy["encode"] += seconds
            self._at(self._call(server.encoders, seconds) + self._service.call, self._chunk_done, video)

    def _chunk_done(self, video: Video) -> None:
        if video.over:
            return
        if not video.first:
            video.first = True
            self._first[video.index] = self._events.now + self._service.wire
        video.chunk += 1
        if video.chunk < len(video.script.items[video.taken - 1] or ()):
            self._decode(video)
        else:
            video.idle = True
            self._take(video)

    def _chunk(self, video: Video) -> tuple[float, float]:
        return (video.script.items[video.taken - 1] or ())[video.chunk]

    def _call(self, instances: list[float], seconds: float) -> float:
        """When a call that is made now has been served: first come, first served by the instance that is free first."""
        which = instances.index(min(instances)) if len(instances) > 1 else 0
        done = instances[which] = max(self._events.now, instances[which]) + seconds
        return done

    def _submit(self, video: Video) -> None:
        server: Any = video.replica
        if server.down_until > self._events.now:
            left = server.down_until - self._events.now
            if left > self._limits.patience:
                self._at(self._events.now + self._limits.patience, self._give_up, video)
            else:
                self._at(server.down_until, self._make, video)
            return
        film = video.script.film
        self._submitted += 1
        first = video.made == 1  # the item before it is the start of the first scene
        if not server.policy.submit(SimJob(video, film.steps, film.bucket, film.scale, self._submitted, first)):
            self._wait_for_a_turn(video)
            return
        video.full_since = math.inf
        if server.batch:
            self._interrupt(server)
        else:
            self._start(server)

    def _wait_for_a_turn(self, video: Video) -> None:
        """All places of the batcher are taken: it is asked again and again, as long as patience lasts."""
        video.full_since = min(video.full_since, self._events.now)
        if self._events.now - video.full_since >= self._limits.patience:
            self._give_up(video)
        else:
            self._at(self._events.now + DirectorConfig.retry_pause, self._make, video)

    def _start(self, server: _Server) -> None:
        server.batch, steps = server.policy.next_batch()
        run = None
        if server.batch:
            server.step = self._costs[len(server.batch)] * server.batch[0].scale
            server.steps = 1 if self._fleet.single_steps else steps
            run = Task(server.steps * server.step, self._stepped, server)
        server.processor.denoise(run)

    def _interrupt(self, server: _Server) -> None:
        """Something has changed: the batch is made anew at the next step's boundary."""
        run = server.processor.run
        if not run or server.steps == 1 or not server.step:
            return
        steps = server.steps + 1 - _left(server, run)
        if steps < server.steps:
            server.processor.shorten(run, (server.steps - steps) * server.step)
            server.steps = steps

    def _stepped(self, server: _Server) -> None:
        self._count(server, server.steps)
        finished = server.policy.done(server.batch, server.steps)
        self._start(server)  # the batcher goes on at once; the answers are still on their way
        for job in finished:
            self._at(self._events.now + self._service.call, self._put, job.owner)

    def _count(self, server: _Server, steps: int) -> None:
        run: Any = server.processor.run
        seconds = (self._events.now - run.began) / steps if steps and steps == server.steps else server.step
        self._batches[len(server.batch)] += steps
        self._busy["denoise"] += steps * seconds
        if self._observe is not None and steps:
            videos = tuple(job.owner.index for job in server.batch)
            self._observe(Step(run.began, seconds, steps, videos, server.number))

    def _fail(self, failure: Failure) -> None:
        server = self._servers[failure.replica]
        server.down_until = max(server.down_until, self._events.now + failure.repair)
        run = server.processor.run
        if run and server.step:
            gone = server.steps - _left(server, run)
            self._count(server, min(gone, server.steps - 1))  # the step that runs is lost
        server.batch = []
        server.processor.drop()
        for job in server.policy.clear():
            if not job.owner.over:
                self._submit(job.owner)

    def _give_up(self, video: Video) -> None:
        if not video.over:
            self._end(video, Status.FAILED)


def _left(server: _Server, run: Task) -> int:
    """Steps of a run that are not over; three tenths of a second are three steps of one, whatever binary says."""
    return math.ceil(server.processor.left(run) / server.step - 1e-9)
