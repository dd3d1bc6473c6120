"""A note's trace goes on from record to record, says nothing of the note, and costs nothing when it is off."""

import json
import subprocess
import sys
from collections.abc import Sequence

import pytest
from contracts.reasons import Reason
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from runtime.errors import SettingsError
from runtime.kafka.deadletter import dead_letter, header
from runtime.kafka.records import Headers, InputRecord, OutputRecord
from runtime.kafka.trace_header import TRACEPARENT
from runtime.kafka.tracing import arrivals, by_place, open_spans, request, traced
from runtime.kafka.tracing_spans import KafkaSpans, provider_of
from runtime.service.settings import ServiceSettings

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = f"00-{TRACE}-b7ad6b7169203331-01"
NOT_SAMPLED = f"00-{TRACE}-b7ad6b7169203331-00"
SECRET = b"zebra-quartz-canary"


def settings(**more: object) -> ServiceSettings:
    told = {"bootstrap_servers": "k:1", "schema_registry_url": "http://r", "client_id": "pod-1", "tracing_ratio": 1.0}
    return ServiceSettings.load(**{**told, **more})


class Rig:
    def __init__(self, *, begins: bool = False, **more: object) -> None:
        provider = provider_of(settings(**more))
        self.exporter = InMemorySpanExporter()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.spans = KafkaSpans(provider.get_tracer("t"), "extractor", begins=begins)

    def names(self) -> list[str]:
        return [span.name for span in self.exporter.get_finished_spans()]


def record(key: bytes, offset: int = 0, *headers: tuple[str, bytes], timestamp_ms: int = 0) -> InputRecord:
    return InputRecord("notes.accepted.v1", 3, offset, timestamp_ms, key, SECRET, headers)


def trace_of(headers: Headers) -> str:
    return (header(headers, TRACEPARENT) or b"").decode().split("-")[1]


def echo(records: Sequence[InputRecord]) -> list[OutputRecord]:
    return [OutputRecord("entities", one.key, SECRET) for one in records]


def test_off_is_the_handler_itself() -> None:
    assert traced(echo, None) is echo
    assert open_spans(settings()) is None
    with request(None, SAMPLED) as headers:
        assert headers == ()
    arrivals(None)([record(b"n1")])


def test_wanted_and_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "runtime.kafka.tracing_spans", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(SettingsError, match=r"RXTRACT_TRACING_ENDPOINT is set .* \[tracing\]|install rxtract") as error:
        open_spans(settings(tracing_endpoint="http://127.0.0.1:4318"))
    assert "\n" not in str(error.value)


def test_an_endpoint_that_is_no_address_is_refused() -> None:
    with pytest.raises(SettingsError, match="RXTRACT_TRACING_ENDPOINT is not usable"):
        settings(tracing_endpoint="collector:4318")


def test_a_trace_goes_on_to_what_is_made_of_the_note() -> None:
    rig = Rig()
    outputs = traced(echo, rig.spans)([record(b"n1", 7, (TRACEPARENT, SAMPLED.encode())), record(b"n2", 8)])
    (span,) = rig.exporter.get_finished_spans()
    assert span.kind is SpanKind.CONSUMER
    assert format(span.context.trace_id, "032x") == TRACE
    assert span.parent is not None
    assert format(span.parent.span_id, "016x") == "b7ad6b7169203331"
    assert header(outputs[0].headers, TRACEPARENT) == f"00-{TRACE}-{span.context.span_id:016x}-01".encode()
    assert outputs[1].headers == ()
    assert dict(span.attributes or {}) == {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.destination.name": "notes.accepted.v1",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 7,
        "messaging.batch.message_count": 2,
    }


def test_nothing_of_the_note_is_in_a_span() -> None:
    rig = Rig(begins=True)
    traced(echo, rig.spans)([record(b"patient-77", 1, ("rxtract.attempt", SECRET))])
    with pytest.raises(ValueError, match="canary"), rig.spans.request(SAMPLED):
        raise ValueError(SECRET.decode())
    told = json.dumps([json.loads(span.to_json()) for span in rig.exporter.get_finished_spans()])
    assert len(rig.names()) == 2
    assert SECRET.decode() not in told
    assert "patient-77" not in told


def test_at_a_door_a_note_without_a_trace_begins_one_each_by_its_place() -> None:
    rig = Rig(begins=True)
    outputs = traced(echo, rig.spans, by_place)([record(b"same", 1), record(b"same", 2)])
    traces = {trace_of(output.headers) for output in outputs}
    assert len(traces) == 2
    assert rig.names() == ["extractor process"] * 2


def test_what_the_sender_did_not_keep_is_not_kept_but_goes_on() -> None:
    rig = Rig(begins=True)
    outputs = traced(echo, rig.spans)([record(b"n1", 1, (TRACEPARENT, NOT_SAMPLED.encode()))])
    assert rig.names() == []
    assert trace_of(outputs[0].headers) == TRACE
    assert (header(outputs[0].headers, TRACEPARENT) or b"").endswith(b"-00")


def test_our_share_decides_where_the_sender_did_not() -> None:
    rig = Rig(begins=True, tracing_ratio=0.0)
    traced(echo, rig.spans)([record(b"n1", 1)])
    assert rig.names() == []


@pytest.mark.parametrize("bad", [b"", b"00-zz-zz-01", b"\xff\xfe", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01"])
def test_a_header_that_is_no_trace_counts_as_none(bad: bytes) -> None:
    rig = Rig()
    outputs = traced(echo, rig.spans)([record(b"n1", 1, (TRACEPARENT, bad))])
    assert rig.names() == []
    assert outputs[0].headers == ()


def test_a_dead_letter_keeps_what_it_came_with_and_its_span_says_why() -> None:
    rig = Rig()
    came = record(b"n1", 5, (TRACEPARENT, SAMPLED.encode()))
    outputs = traced(lambda _: [dead_letter(came, Reason.TOO_LARGE, "extractor")], rig.spans)([came])
    (span,) = rig.exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["rxtract.reason"] == "TOO_LARGE"
    assert [value for name, value in outputs[0].headers if name == TRACEPARENT] == [SAMPLED.encode()]


def test_a_request_carries_its_own_span_on() -> None:
    rig = Rig(begins=True)
    with request(rig.spans, SAMPLED) as headers:
        assert trace_of(headers) == TRACE
    (span,) = rig.exporter.get_finished_spans()
    assert span.kind is SpanKind.SERVER
    with request(rig.spans, "nonsense") as headers:
        assert trace_of(headers) != TRACE


def test_a_reader_that_reads_the_past_again_makes_no_spans_of_it() -> None:
    rig = Rig()
    saw = arrivals(rig.spans, since_ms=1_000)
    saw([record(b"n1", 1, (TRACEPARENT, SAMPLED.encode()), timestamp_ms=999)])
    assert rig.names() == []
    saw([record(b"n1", 2, (TRACEPARENT, SAMPLED.encode()), timestamp_ms=1_000)])
    assert rig.names() == ["extractor process"]


@pytest.mark.slow
@pytest.mark.parametrize("service", ["ingestor", "extractor"])
def test_off_does_not_even_import_what_makes_spans(service: str) -> None:
    script = f"import sys, {service}.bootstrap; sys.exit('runtime.kafka.tracing_spans' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 0
