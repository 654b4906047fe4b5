"""Formula predictions: throughput, latency and time to first frame at an arrival rate.

A replica is a queue of `places` live videos served at once, each slower the more there are (`loaded`), Poisson
arrivals, and a finite waiting room: the birth–death chain of `queueing.occupancy` with Allen–Cunneen's correction. An
arriving video sees the time average (PASTA), so its latency is the wait and the service at the occupancy it makes.

Where batches hardly pay, the step batcher finishes segments one after the other, first ones first: the denoiser is then
the server, the other places are part of the queue, and first segments wait for each other alone.

Against the simulation: means within 8 % and p95 within 15 % up to 0.7 of the capacity (a test holds it to that); where
batches pay, the formula is pessimistic beyond 0.8, for service is more regular than it assumes. Simulate there.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from framecast.bench.capacity.film import Film
from framecast.bench.capacity.queueing import Mixture, mixture, occupancy
from framecast.bench.capacity.service import Replica, ServiceModel
from framecast.bench.capacity.videos import Company, alone, script

_ALONE = ((1.0, 0.0, 0.0),)  # nothing is in the way, or `loaded` has it
_ROUNDS = 30  # of the fixed point between batch and duration; it contracts fast


@dataclass(frozen=True)
class Prediction:
    """What a fleet does at a rate. Seconds; rates in videos a second, of the whole fleet.

    Attributes:
        request_rate, throughput_qps: asked for, and made.
        refused_rate: share of the videos that find no place.
        utilisation: throughput ÷ the most the fleet could make.
        mean_live: videos at work on a replica.
        latency_mean, latency_p50, latency_p95, latency_p99, ttff_p50, ttff_p95, ttff_p99: of those that are made.
        slo_attainment_rate: share of all that are within the bound; None without one.
    """

    request_rate: float
    throughput_qps: float
    refused_rate: float
    utilisation: float
    mean_live: float
    latency_mean: float
    latency_p50: float
    latency_p95: float
    latency_p99: float
    ttff_p50: float
    ttff_p95: float
    ttff_p99: float
    slo_attainment_rate: float | None = None


def loaded(film: Film, service: ServiceModel, replica: Replica, live: int) -> tuple[float, float]:
    """Seconds to the first chunk and to the end of a video on a replica with `live` videos at work, itself included.

    The others share its denoise steps as far as they are denoising themselves, which depends on how long everything
    takes: a fixed point. No stage makes more than its capacity: n videos take at least n times the busiest one's time.
    """
    decode, encode = map(sum, zip(*_chunks(film, service), strict=True))
    texts = len(film.scenes) * service.text
    plan = service.plan_fixed + len(film.scenes) * service.plan_scene if film.planned else 0.0
    own = (film.segments - 1) / film.segments  # of its decoding, what happens while it denoises a later segment
    step, company, others = service.step.seconds(1) * film.scale, Company(), live - 1
    for _ in range(_ROUNDS):
        first, total = alone(film, service, step, company, replica.segments_ahead)
        if not total:
            break
        denoising = min(1.0, film.segments * film.steps * step / total)
        batch = 1 + others * denoising
        rows = min(batch, replica.max_batch)
        slow = 1 + service.share * min(1.0, (others + own) * decode / total)
        step = service.step.seconds(rows) * batch / rows * film.scale * slow
        # A first segment finds the others' step anywhere; the next one comes just after a step has begun.
        boundary = step * (0.5 / film.segments + own * max(0.0, 1 - service.call / step)) if step else 0.0
        company = Company(
            _crowded(texts, replica.text_instances, others, total),
            _crowded(decode, replica.decode_instances, others, total)
            * (1 + service.share * min(1.0, others * denoising + own)),
            _crowded(encode, replica.encode_cores, others, total),
            boundary * (1 - (1 - denoising) ** others),
        )
    stages = (decode / replica.decode_instances, encode / replica.encode_cores, plan, texts / replica.text_instances)
    bound = live * max(stages)
    if bound <= total and live > 1 and (together := _few_together(service, replica)):
        alone_for = loaded(film, service, replica, 1)[1]
        total = min(total, max(alone_for, live * _busiest(film, service, replica) / together))
    return (first * bound / total, bound) if bound > total else (first, total)


def _chunks(film: Film, service: ServiceModel) -> Sequence[tuple[float, float]]:
    """(decode, encode) seconds of every chunk of a video."""
    return [chunk for chunks in script(film, service).items for chunk in chunks or ()]


def _crowded(demand: float, instances: int, others: int, total: float) -> float:
    """How much longer a call takes because the others call the same stage: where it is busy with them, half a call is
    still to come. Who waits already is left out: the few videos of one replica fall into step with each other.
    """
    busy = min(1.0, others * demand / total / instances)
    return 1 + busy / 2 / instances


def places(replica: Replica) -> int:
    """Videos served at once."""
    return min(replica.max_live_videos, replica.max_live)


def capacity(service: ServiceModel, replica: Replica, films: Sequence[Film]) -> float:
    """The most videos a second that one replica makes."""
    if together := _few_together(service, replica):
        return together / _weighted([_busiest(film, service, replica) for film in films], [f.weight for f in films])
    return max(live / _mean(films, service, replica, live) for live in range(1, places(replica) + 1))


def _few_together(service: ServiceModel, replica: Replica) -> int:
    """How many segments share a step where batches hardly pay, so that most videos wait their turn; else 0."""
    together = service.step.worthwhile(places(replica), replica.worthwhile)
    return together if 2 * together <= places(replica) else 0


def _busiest(film: Film, service: ServiceModel, replica: Replica) -> float:
    """Seconds for which a video keeps the busiest stage from others, where few are denoised together."""
    together = _few_together(service, replica)
    decode, encode = map(sum, zip(*_chunks(film, service), strict=True))
    denoise = film.segments * film.steps * service.step.seconds(together) * film.scale
    beside = service.share * min(denoise, together * decode)  # a decode takes 1 + share as long, and the steps as well
    return max(denoise + beside, together * decode / replica.decode_instances, together * encode / replica.encode_cores)


def predict(
    service: ServiceModel,
    replica: Replica,
    films: Sequence[Film],
    rate: float,
    replicas: int = 1,
    *,
    ca2: float = 1.0,
    latency_bound: float | None = None,
    ttff_bound: float | None = None,
) -> Prediction:
    """The steady state of `replicas` servers among whom Poisson arrivals of `rate` a second are divided at random.

    Args:
        service, replica, films: costs, limits and the mix of videos.
        rate: videos a second, of all replicas.
        replicas: servers.
        ca2: squared coefficient of variation of the times between arrivals at a replica.
        latency_bound, ttff_bound: the objective, seconds.
    """
    if not rate > 0 or replicas < 1:
        raise ValueError("a prediction needs a rate above 0 and at least one replica")
    k, weights = places(replica), [film.weight for film in films]
    by_live = {live: [loaded(film, service, replica, live) for film in films] for live in range(1, k + 1)}
    means = {live: _weighted([total for _, total in by_live[live]], weights) for live in by_live}
    spread = _weighted([(total - means[k]) ** 2 for _, total in by_live[k]], weights) / means[k] ** 2
    # Where batches do not pay, fewer are denoised at once than have a place, and the others wait their turn.
    together, most = _few_together(service, replica), capacity(service, replica, films)
    one_by_one = together > 0 and all(film.segments == 1 for film in films)
    served = together if one_by_one else k
    slowness = (lambda _: together / most) if one_by_one else means.__getitem__
    room = replica.max_live_videos - served + replica.max_queued_videos
    queue = occupancy(rate / replicas, slowness, served, room, ca2=ca2, cs2=spread)
    longer = queue.wait / queue.waiting if queue.waiting else 0.0
    shares = [(float(queue.probability[n]), n + 1, 0.0) for n in range(served)]
    shares.append((float(queue.probability[served:-1].sum()), served, longer))
    parts = [
        (p * w * likely, first + sooner, total + later, wait)
        for p, live, wait in shares
        for w, film, (first, total) in zip(weights, films, by_live[live], strict=True)
        for likely, sooner, later in (
            _in_the_way(film, service, rate / replicas, together / most, wait) if one_by_one else _ALONE
        )
    ]
    firsts = mixture([(weight, first, wait) for weight, first, _, wait in parts])
    totals = mixture([(weight, total, wait) for weight, _, total, wait in parts])
    if 0 < together < served:  # first segments go before later ones, and wait for each other alone
        segments = _weighted([film.segments for film in films], weights)
        seconds = together / (most * segments)
        ahead = occupancy(rate / replicas, lambda _: seconds, together, 10 * k, ca2=ca2, cs2=spread)
        wait = ahead.wait / ahead.waiting if ahead.waiting else 0.0
        placed = 1 - shares[-1][0] / (1 - queue.refused)
        firsts = mixture(
            [
                (p * w, first, seconds)
                for p, seconds in (
                    (placed * (1 - ahead.waiting), 0.0),
                    (placed * ahead.waiting, wait),
                    (1 - placed, longer),
                )
                for w, (first, _) in zip(weights, by_live[together], strict=True)
            ]
        )
    made = rate * (1 - queue.refused)
    return Prediction(
        request_rate=rate,
        throughput_qps=made,
        refused_rate=queue.refused,
        utilisation=made / (replicas * most),
        mean_live=float(sum(min(n, k) * p for n, p in enumerate(queue.probability))),
        latency_mean=totals.mean,
        latency_p50=totals.quantile(0.5),
        latency_p95=totals.quantile(0.95),
        latency_p99=totals.quantile(0.99),
        ttff_p50=firsts.quantile(0.5),
        ttff_p95=firsts.quantile(0.95),
        ttff_p99=firsts.quantile(0.99),
        slo_attainment_rate=_attained(totals, firsts, latency_bound, ttff_bound, queue.refused),
    )


def _in_the_way(
    film: Film, service: ServiceModel, rate: float, cycle: float, wait: float
) -> Sequence[tuple[float, float, float]]:
    """(weight, seconds more to the first chunk, and to the end) of a video whose steps run beside the decode of the
    one before it, or whose decode beside the steps of the next. Who has waited follows at once; who has not may find
    the last decode half done. `cycle` is the time from one segment to the next while somebody waits.
    """
    chunks = _chunks(film, service)
    decode, encode = map(sum, zip(*chunks, strict=True))
    slower = service.share * decode
    follows = 1.0 if wait else 1 - math.exp(-rate * (decode + encode))
    before = slower if wait else slower / 2
    followed = 1 - math.exp(-rate * (wait + cycle))
    cases = [
        (p * q, a, b)
        for p, a in ((follows, before), (1 - follows, 0.0))
        for q, b in ((followed, slower), (1 - followed, 0.0))
    ]
    return [(p, a + b / len(chunks), a + b) for p, a, b in cases]


def _attained(
    totals: Mixture, firsts: Mixture, latency: float | None, ttff: float | None, refused: float
) -> float | None:
    if latency is None and ttff is None:
        return None
    late = [times.above(bound) for times, bound in ((totals, latency), (firsts, ttff)) if bound is not None]
    return (1 - refused) * (1 - max(late))  # both are late together, for the wait is the same


def _mean(films: Sequence[Film], service: ServiceModel, replica: Replica, live: int) -> float:
    return _weighted([loaded(film, service, replica, live)[1] for film in films], [film.weight for film in films])


def _weighted(values: Sequence[float], weights: Sequence[float]) -> float:
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)
