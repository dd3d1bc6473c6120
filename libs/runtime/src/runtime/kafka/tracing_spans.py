"""The spans of `runtime.kafka.tracing`, by OpenTelemetry. Imported only when tracing is on."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from runtime.kafka.deadletter import OFFSET, PARTITION, REASON, TOPIC, header
from runtime.kafka.records import Headers, InputRecord, OutputRecord
from runtime.kafka.trace_header import TRACEPARENT
from runtime.service.settings import ServiceSettings

EXPORT_TIMEOUT_S = 5.0
_PATH = "/v1/traces"
_W3C = TraceContextTextMapPropagator()


def exported(settings: ServiceSettings, endpoint: str, *, begins: bool) -> "KafkaSpans":
    """Spans that a thread sends to a collector by OTLP over HTTP. A collector that is away costs spans, never notes."""
    provider = provider_of(settings)
    url = endpoint if endpoint.endswith(_PATH) else endpoint.rstrip("/") + _PATH
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=EXPORT_TIMEOUT_S)))
    return KafkaSpans(provider.get_tracer("rxtract"), settings.service, begins=begins)


def provider_of(settings: ServiceSettings) -> TracerProvider:
    """Who we are, and which traces are kept: what the sender decided, else our share."""
    resource = Resource({"service.name": f"rxtract-{settings.service}", "service.instance.id": settings.client_id})
    return TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(settings.tracing_ratio)))


class KafkaSpans:
    """Makes spans of records and requests.

    Args:
        service: Goes into the names.
        begins: Whether a record without a trace begins one.
    """

    def __init__(self, tracer: Tracer, service: str, *, begins: bool) -> None:
        self._tracer = tracer
        self._service = service
        self._begins = begins

    def follow(
        self,
        records: Sequence[InputRecord],
        outputs: Sequence[OutputRecord],
        sources: Sequence[int | None],
        begun_ns: int,
    ) -> Sequence[OutputRecord]:
        """One span for each record that was handled since then; its outputs carry it on. A dead letter keeps what it came with."""
        refused = refusals(outputs)
        carried = [self._record(record, refused, len(records), begun_ns) for record in records]
        return (
            [
                output
                if source is None or header(output.headers, REASON) is not None
                else _carry(output, carried[source])
                for output, source in zip(outputs, sources, strict=True)
            ]
            if outputs
            else outputs
        )

    @contextmanager
    def request(self, traceparent: str | None) -> Iterator[Headers]:
        """A span around one request. Whatever goes wrong is its status; the words of an exception are not kept."""
        context = None if traceparent is None else _parent(traceparent)
        span = self._tracer.start_span(f"{self._service} request", context or Context(), SpanKind.SERVER)
        try:
            yield _headers(span)
        except BaseException as error:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
        finally:
            span.end()

    def _record(
        self, record: InputRecord, refused: Mapping[tuple[bytes | None, ...], str], together: int, begun_ns: int
    ) -> Headers:
        came = header(record.headers, TRACEPARENT)
        context = None if came is None else _parent(came.decode("ascii", "replace"))
        if context is None and not self._begins:
            return ()
        span = self._tracer.start_span(
            f"{self._service} process", context or Context(), SpanKind.CONSUMER, start_time=begun_ns
        )
        if span.is_recording():
            _describe(span, record, together)
            reason = refused.get((record.topic.encode(), str(record.partition).encode(), str(record.offset).encode()))
            if reason is not None:
                span.set_attribute(REASON, reason)
                span.set_status(Status(StatusCode.ERROR, "dead-lettered"))
        span.end(time.time_ns())
        return _headers(span)


def _parent(traceparent: str) -> Context | None:
    """The context that a header names; None when it is not a legal one."""
    context = _W3C.extract({TRACEPARENT: traceparent}, Context())
    return context or None


def _headers(span: Span) -> Headers:
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, set_span_in_context(span, Context()))
    return ((TRACEPARENT, carrier[TRACEPARENT].encode()),) if TRACEPARENT in carrier else ()


def _carry(output: OutputRecord, headers: Headers) -> OutputRecord:
    return output._replace(headers=output.headers + headers) if headers else output


def _describe(span: Span, record: InputRecord, together: int) -> None:
    span.set_attribute("messaging.system", "kafka")
    span.set_attribute("messaging.operation.type", "process")
    span.set_attribute("messaging.destination.name", record.topic)
    span.set_attribute("messaging.destination.partition.id", str(record.partition))
    span.set_attribute("messaging.kafka.offset", record.offset)
    span.set_attribute("messaging.batch.message_count", together)


def refusals(outputs: Sequence[OutputRecord]) -> dict[tuple[bytes | None, ...], str]:
    """The reason of each record that was dead-lettered, by its source."""
    return {
        tuple(header(output.headers, name) for name in (TOPIC, PARTITION, OFFSET)): reason.decode("ascii", "replace")
        for output in outputs
        if (reason := header(output.headers, REASON)) is not None
    }
