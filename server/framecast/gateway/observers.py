"""Everyone who watches a server: metrics always, traces where the environment asks for them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from framecast.client.tracing import environment_tracer
from framecast.gateway.calls import Spans, no_spans
from framecast.gateway.metrics import GatewayMetrics
from framecast.gateway.page import MetricsPage
from framecast.stages.observed import StageObserver


@dataclass(frozen=True)
class Observers:
    """What `framecast serve` wires into the gateway and the stages.

    Attributes:
        metrics: of the gateway.
        stages: see every stage call.
        spans: opens the span of a call of the service.
        headers: makes the metadata of a request to Triton.
        url: of the metrics' page; None without one.
    """

    metrics: GatewayMetrics
    stages: tuple[StageObserver, ...]
    spans: Spans = no_spans
    headers: Callable[[], dict[str, str]] = dict
    url: str | None = None

    @classmethod
    @contextmanager
    def opened(cls, metrics_address: str | None) -> Iterator["Observers"]:
        """Listens for Prometheus, and exports traces, until the block ends.

        Args:
            metrics_address: see `framecast.gateway.page.parsed_address`; None shows no page.

        Raises:
            OSError: the address cannot be listened on.
        """
        metrics = GatewayMetrics()
        with (
            MetricsPage(metrics_address, metrics.registry) if metrics_address else nullcontext() as page,
            environment_tracer("framecast-gateway") as tracer,
        ):
            url = page.url if page else None
            if tracer is None:
                yield cls(metrics, (metrics.stages,), url=url)
                return
            from framecast.gateway.traced import CallSpans
            from framecast.stages.traced import StageSpans, trace_headers

            yield cls(metrics, (metrics.stages, StageSpans(tracer)), CallSpans(tracer), trace_headers, url)
