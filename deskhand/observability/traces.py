"""Spans of runs, reduced before they leave the process. Imported only where traces are on."""

from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Status
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.exceptions import ApplicationError

from deskhand.observability.logging import KNOWN

ATTRIBUTES = frozenset({"temporalWorkflowID", "temporalRunID", "temporalActivityID", "temporalUpdateID"})
"""Attributes of spans that are kept: ids."""

_TYPE, _MESSAGE = "exception.type", "exception.message"


def tracing_interceptor(service: str) -> TracingInterceptor:
    """Makes spans of what a client asks of Temporal and what a worker does, and sends them over OTLP/HTTP.

    Endpoint, headers, time-outs, compression and sampling are OpenTelemetry's own settings, `OTEL_…`. What is not sent
    yet is sent when the process ends.
    """
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
    provider.add_span_processor(BatchSpanProcessor(ReducedSpans(OTLPSpanExporter())))
    interceptor = TracingInterceptor(provider.get_tracer("deskhand"))
    interceptor.text_map_propagator = TraceContextTextMapPropagator()  # ids; its default also passes baggage on
    return interceptor


class ReducedSpans(SpanExporter):
    """Exports spans without what may quote a ticket, a vendor or a secret: see `reduced`."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See the base class."""
        return self._exporter.export([reduced(span) for span in spans])

    def shutdown(self) -> None:
        """See the base class."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See the base class."""
        return self._exporter.force_flush(timeout_millis)


def reduced(span: ReadableSpan) -> ReadableSpan:
    """The span with ids for attributes, and of failures the type: neither words nor traceback.

    The SDK puts both into events and status; words of vendors may quote a ticket, tracebacks end with words.
    """
    failure = next((_kind(event) for event in span.events if event.name == "exception"), None)
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={name: value for name, value in (span.attributes or {}).items() if name in ATTRIBUTES},
        events=[
            Event(event.name, {_TYPE: _kind(event)}, event.timestamp)
            for event in span.events
            if event.name == "exception"
        ],
        links=[Link(link.context) for link in span.links],
        kind=span.kind,
        status=Status(span.status.status_code, failure if span.status.description else None),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _kind(event: Event) -> str:
    """The type of the exception; of a failure that crosses Temporal the one it names, if that is one of ours."""
    attributes = event.attributes or {}
    kind = str(attributes.get(_TYPE, "")).rpartition(".")[2]
    named = str(attributes.get(_MESSAGE, "")).partition(":")[0]
    return named if kind == ApplicationError.__name__ and named in KNOWN else kind
