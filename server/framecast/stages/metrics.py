"""The denoiser's metrics on Triton's own Prometheus page. Only Triton's stub can import this module."""

import triton_python_backend_utils as pb_utils

from framecast.denoiser.batcher import StepRecord

_BATCH_BUCKETS = [1, 2, 3, 4, 6, 8, 12, 16]


class BatcherMetrics:
    """Batch sizes, mixed timesteps, step time and queue of the step batcher.

    Triton needs a metric's family to live as long as the metric, so both are kept.
    """

    def __init__(self) -> None:
        kinds = pb_utils.MetricFamily
        self._families = [
            kinds(name="framecast_denoiser_steps_total", description="Denoise steps run", kind=kinds.COUNTER),
            kinds(
                name="framecast_denoiser_mixed_steps_total",
                description="Steps whose batch held segments at different timesteps",
                kind=kinds.COUNTER,
            ),
            kinds(name="framecast_denoiser_step_seconds_total", description="Time in steps", kind=kinds.COUNTER),
            kinds(name="framecast_denoiser_batch_size", description="Segments in a step", kind=kinds.HISTOGRAM),
            kinds(name="framecast_denoiser_running_requests", description="Segments taking turns", kind=kinds.GAUGE),
            kinds(name="framecast_denoiser_queue_requests", description="Segments waiting", kind=kinds.GAUGE),
        ]
        steps, mixed, seconds, batch, running, queue = self._families
        self._steps, self._mixed, self._seconds = (family.Metric(labels={}) for family in (steps, mixed, seconds))
        self._batch = batch.Metric(labels={}, buckets=_BATCH_BUCKETS)
        self._running, self._queue = running.Metric(labels={}), queue.Metric(labels={})

    def observe(self, record: StepRecord) -> None:
        """Adds one turn of the batcher."""
        if record.batch:
            self._steps.increment(1)
            self._mixed.increment(float(record.distinct_timesteps > 1))
            self._seconds.increment(record.seconds)
            self._batch.observe(record.batch)
        self._running.set(record.live)
        self._queue.set(record.waiting)
