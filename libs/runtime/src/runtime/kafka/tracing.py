"""Traces through Kafka's headers: off unless RXTRACT_TRACING_ENDPOINT is set, and then nothing of this costs anything.

A note's W3C ``traceparent`` goes from record to record: door, extractor, desk, scorekeeper. A span says where and when, by topic,
partition and offset; no text, no key, no identifier of a note or a person. OpenTelemetry itself is an extra (`runtime.kafka.tracing_spans`).
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from runtime.errors import SettingsError
from runtime.kafka.records import Handler, Headers, InputRecord, OutputRecord
from runtime.service.settings import ServiceSettings

Pairing = Callable[[Sequence[InputRecord], Sequence[OutputRecord]], list[int | None]]
"""Which input record, by its place in the batch, an output is of; None: of none alone."""


class Spans(Protocol):
    """Makes spans."""

    def follow(
        self,
        records: Sequence[InputRecord],
        outputs: Sequence[OutputRecord],
        sources: Sequence[int | None],
        begun_ns: int,
    ) -> Sequence[OutputRecord]:
        """One span for each record that was handled since then; its outputs carry it on."""

    def request(self, traceparent: str | None) -> AbstractContextManager[Headers]:
        """A span around one request; what it publishes carries the headers."""


def open_spans(settings: ServiceSettings, *, begins: bool = False) -> Spans | None:
    """What the settings ask for; None: no tracing.

    Args:
        settings: Of the service.
        begins: Whether a record without a trace begins one. True at the doors; else old records would begin traces of their own.

    Raises:
        SettingsError: Tracing is wanted and OpenTelemetry is not installed.
    """
    if settings.tracing_endpoint is None:
        return None
    try:
        from runtime.kafka.tracing_spans import exported
    except ImportError:
        raise SettingsError(
            "RXTRACT_TRACING_ENDPOINT is set and OpenTelemetry is not installed: install rxtract-runtime[tracing] "
            "(images: build with TRACING=1), or unset it"
        ) from None
    return exported(settings, settings.tracing_endpoint, begins=begins)


def by_place(records: Sequence[InputRecord], outputs: Sequence[OutputRecord]) -> list[int | None]:
    """One output for each input, in order."""
    return [place if place < len(records) else None for place in range(len(outputs))]


def by_key(records: Sequence[InputRecord], outputs: Sequence[OutputRecord]) -> list[int | None]:
    """By the note, which is the key of whatever is made of it alone."""
    places = {record.key: place for place, record in enumerate(records) if record.key is not None}
    return [None if output.key is None else places.get(output.key) for output in outputs]


def traced(handler: Handler, spans: Spans | None, pairing: Pairing = by_key) -> Handler:
    """Wrap a handler; without spans it is returned as it is."""
    if spans is None:
        return handler

    def handle(records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        begun_ns = time.time_ns()
        outputs = handler(records)
        return spans.follow(records, outputs, pairing(records, outputs), begun_ns)

    return handle


def arrivals(spans: Spans | None, since_ms: int | None = None) -> Callable[[Sequence[InputRecord]], None]:
    """For a reader of topics that publishes nothing: a span for each record that is younger than its start.

    Args:
        spans: Makes them; None: no tracing.
        since_ms: UTC milliseconds; older records were seen by an earlier run. Now when left out.
    """
    if spans is None:
        return lambda _: None
    start_ms = time.time_ns() // 1_000_000 if since_ms is None else since_ms

    def saw(records: Sequence[InputRecord]) -> None:
        young = [record for record in records if record.timestamp_ms >= start_ms]
        spans.follow(young, (), (), time.time_ns())

    return saw


def request(spans: Spans | None, traceparent: str | None) -> AbstractContextManager[Headers]:
    """A span around a request; without spans no headers."""
    return nullcontext(()) if spans is None else spans.request(traceparent)
