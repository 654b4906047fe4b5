"""A real run as its operators see it: one trace down to Triton's models, and health."""

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.support.otlp import Collector
from tests.system.system import System, until

from framecast.client import Scene, VideoClient
from framecast.client.health import health_of


def test_one_trace_from_the_client_to_tritons_models(tiny_system: System, otlp: Collector) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with VideoClient(tiny_system.address, tracer=provider.get_tracer("test")) as client:
        list(client.generate(scenes=[Scene("a white kitten plays in the courtyard", 1.0)], timeout=120))
    (root,) = exporter.get_finished_spans()
    trace, above = f"{root.context.trace_id:032x}", f"{root.context.span_id:016x}"

    models = {"text_encoder", "denoiser", "decode_frames", "vae_decoder", "frame_encoder"}
    until(lambda: models <= {span.name for span in otlp.trace(trace)}, "Triton's spans of every model")
    until(lambda: "framecast.v1.Video/Generate" in {span.name for span in otlp.trace(trace)}, "the gateway's span")
    spans = otlp.trace(trace)
    by_id = {span.id: span for span in spans}
    (call,) = [span for span in spans if span.name == "framecast.v1.Video/Generate"]
    assert (call.service, call.parent) == ("framecast-gateway", above)

    def ancestors(name: str) -> list[str]:
        span = next(span for span in spans if span.name == name and span.service == "framecast-triton")
        names = []
        while span.parent in by_id:
            span = by_id[span.parent]
            names.append(span.name)
        return names

    gateway = "framecast.v1.Video/Generate"
    assert ancestors("denoiser") == ["InferRequest", "denoise", gateway]
    assert ancestors("text_encoder") == ["InferRequest", "text", gateway]
    assert ancestors("vae_decoder") == ["decode_frames", "InferRequest", "decode", gateway]


def test_gateway_and_triton_answer_the_same_health_check(tiny_system: System) -> None:
    assert health_of(tiny_system.address, service="framecast.v1.Video") == "SERVING"
    assert health_of(tiny_system.triton_address) == "SERVING"
