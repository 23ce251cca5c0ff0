"""Traces by OpenTelemetry: a span for each request, one in it for each stage, and the writer's commit.

Nothing of it is loaded unless the server is told to trace. Where traces go, and how many, is told by
OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from holdfast.base import ConfigError, import_extra
from holdfast_serving.stages import Stages

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

FLUSH_MILLISECONDS = 2000
traceparent: ContextVar[str] = ContextVar("traceparent", default="")
"""The span of the request that is answered here, as the header `traceparent` has it; empty where there is
none."""


class Tracing:
    """Makes spans. Whoever makes one hands its attributes over when it ends."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("holdfast")
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, headers: Mapping[str, str]) -> "Span":
        """The span of a request, in the trace that the client began, if it did. Stages and calls of the
        writer go into it."""
        from opentelemetry.trace import SpanKind, set_span_in_context

        parent = self._propagator.extract(headers)
        span = self._tracer.start_span("request", parent, SpanKind.SERVER)
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, set_span_in_context(span))
        traceparent.set(carrier.get("traceparent", ""))
        return span

    def end(
        self, span: "Span", name: str, status: int, stages: Stages, attributes: Mapping[str, Any]
    ) -> None:
        """The request is answered; its stages become spans below its own."""
        from opentelemetry.trace import StatusCode, set_span_in_context

        if not span.is_recording():
            return
        inside = set_span_in_context(span)
        for each in stages.spans:
            self._tracer.start_span(each.name, inside, start_time=each.begun).end(each.ended)
        span.update_name(name)
        span.set_attributes({**attributes, "http.response.status_code": status})
        if status >= 500:
            span.set_status(StatusCode.ERROR)
        span.end()

    @contextmanager
    def within(self, parent: str, name: str) -> Iterator[None]:
        """A span in another process, below the one that `parent` names."""
        context = self._propagator.extract({"traceparent": parent})
        with self._tracer.start_as_current_span(name, context):
            yield

    def close(self) -> None:
        """Sends what was not sent yet, for a moment; a receiver that is away holds nobody up."""
        self._provider.force_flush(FLUSH_MILLISECONDS)


def open_tracing(service: str, wanted: bool) -> Tracing | None:
    """What sends traces to the receiver that the environment names; None if none are wanted.

    Raises ConfigError where `holdfast[tracing]` is not installed.
    """
    if not wanted:
        return None
    needs = "tracing: traces need OpenTelemetry"
    sdk = import_extra("opentelemetry.sdk.trace", "tracing", needs, ConfigError)
    processors = import_extra("opentelemetry.sdk.trace.export", "tracing", needs, ConfigError)
    exporters = import_extra(
        "opentelemetry.exporter.otlp.proto.http.trace_exporter", "tracing", needs, ConfigError
    )
    resources = import_extra("opentelemetry.sdk.resources", "tracing", needs, ConfigError)
    resource = resources.Resource.create({"service.name": service})
    provider = sdk.TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(processors.BatchSpanProcessor(exporters.OTLPSpanExporter()))
    return Tracing(provider)
