"""Every metric is declared once, as data. Code, the reference page and the dashboards' test share that declaration.

A service lists its own in ``<service>/metrics.py`` beside the shared ones here, and builds them once in its bootstrap.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics import MetricWrapperBase


class Kind(StrEnum):
    """What a metric does over time."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class MetricSpec(NamedTuple):
    """One metric.

    Attributes:
        name: With prefix ``rxtract_``, base unit, and ``_total`` for counters.
        unit: For example ``seconds``, ``records``, ``bytes``; empty for plain numbers.
        labels: Names of labels; their values come from closed sets, never from notes.
        sentence: What it says, for the reference page and as Prometheus help.
        buckets: Upper bounds of a histogram, in the unit.
    """

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    sentence: str
    buckets: tuple[float, ...] = ()


LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BATCH_BUCKETS = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0)

RECORDS_CONSUMED = MetricSpec(
    "rxtract_records_consumed_total", Kind.COUNTER, "records", ("topic",), "Records handed to the handler."
)
RECORDS_DELIVERED = MetricSpec(
    "rxtract_records_delivered_total", Kind.COUNTER, "records", ("topic",), "Records that the broker acknowledged."
)
DEAD_LETTERS = MetricSpec(
    "rxtract_dead_letters_total",
    Kind.COUNTER,
    "records",
    ("stage", "reason"),
    "Records that were refused and published to a dead-letter topic.",
)
DIED_IN_HAND = MetricSpec(
    "rxtract_died_in_hand_total",
    Kind.COUNTER,
    "partitions",
    (),
    "Partitions that came to this process and whose last owner had died with records in hand.",
)
CONSUMER_ERRORS = MetricSpec(
    "rxtract_consumer_errors_total",
    Kind.COUNTER,
    "errors",
    ("kind",),
    "What consumers were told in place of records: forbidden (a right is missing), missing_topic, away (the broker), position (an offset; "
    "what it led to is counted by rxtract_offset_resets_total), group (membership lost), fatal or other.",
)
RETRIES = MetricSpec(
    "rxtract_retries_total",
    Kind.COUNTER,
    "batches",
    ("cause",),
    "Batches tried again: cause is recoverable (something outside was away), subject (the registry has lost the topic's subject) or "
    "delivery (the broker did not acknowledge).",
)
COMMITS = MetricSpec(
    "rxtract_commits_total",
    Kind.COUNTER,
    "commits",
    ("result",),
    "Offset commits, by result: ok (stored), sent (not waited for) or failed.",
)
REBALANCES = MetricSpec(
    "rxtract_rebalances_total",
    Kind.COUNTER,
    "rebalances",
    ("kind",),
    "Changes of the assignment: assigned, revoked or lost.",
)
OFFSET_RESETS = MetricSpec(
    "rxtract_offset_resets_total",
    Kind.COUNTER,
    "resets",
    ("reason",),
    "Changes of a reading position that the stream did not make: expired (retention deleted what was not read), truncated (the log ends "
    "before our position; the partition stands still), backwards (records came again and were dropped) or skipped (the client left "
    "records out; they were read after all).",
)
EXPIRED_RECORDS = MetricSpec(
    "rxtract_records_expired_total",
    Kind.COUNTER,
    "records",
    (),
    "Offsets that retention deleted before they were read here.",
)
ASSIGNED_PARTITIONS = MetricSpec(
    "rxtract_assigned_partitions", Kind.GAUGE, "partitions", (), "Partitions that this process reads now."
)
CONSUMER_LAG = MetricSpec(
    "rxtract_consumer_lag_records",
    Kind.GAUGE,
    "records",
    ("topic",),
    "Records on the assigned partitions that can be read and are not committed yet: transaction markers, aborted records and what stands behind an open transaction do not count.",
)
COMMIT_AGE = MetricSpec(
    "rxtract_commit_age_seconds",
    Kind.GAUGE,
    "seconds",
    ("topic",),
    "Seconds since the most delayed lagging partition last committed; 0 without lag.",
)
START = MetricSpec(
    "rxtract_start_seconds",
    Kind.GAUGE,
    "seconds",
    (),
    "From the start of the process to the first time that it was ready; 0 until then.",
)
READY = MetricSpec("rxtract_ready", Kind.GAUGE, "", (), "1 while /ready says so, else 0.")
BATCH_RECORDS = MetricSpec(
    "rxtract_batch_records", Kind.HISTOGRAM, "records", (), "Records in one handled batch.", BATCH_BUCKETS
)
HANDLER_SECONDS = MetricSpec(
    "rxtract_handler_seconds", Kind.HISTOGRAM, "seconds", (), "Time the handler took for one batch.", LATENCY_BUCKETS_S
)
DELIVERY_SECONDS = MetricSpec(
    "rxtract_delivery_seconds",
    Kind.HISTOGRAM,
    "seconds",
    (),
    "Time from sending a batch to the broker's last acknowledgement of it.",
    LATENCY_BUCKETS_S,
)
BATCHES_IN_FLIGHT = MetricSpec(
    "rxtract_batches_in_flight", Kind.GAUGE, "batches", (), "Batches sent but not acknowledged yet."
)

METRICS: tuple[MetricSpec, ...] = (
    RECORDS_CONSUMED,
    RECORDS_DELIVERED,
    DEAD_LETTERS,
    DIED_IN_HAND,
    CONSUMER_ERRORS,
    RETRIES,
    COMMITS,
    REBALANCES,
    OFFSET_RESETS,
    EXPIRED_RECORDS,
    ASSIGNED_PARTITIONS,
    CONSUMER_LAG,
    COMMIT_AGE,
    READY,
    START,
    BATCH_RECORDS,
    HANDLER_SECONDS,
    DELIVERY_SECONDS,
    BATCHES_IN_FLIGHT,
)
"""What every service measures."""

TOKEN_LINES_REFUSED = MetricSpec(
    "rxtract_token_lines_refused",
    Kind.GAUGE,
    "lines",
    ("file",),
    "Lines of a token file that cannot be used now, by the variable that names the file; the log has their numbers.",
)
TOKEN_FILE_AWAY = MetricSpec(
    "rxtract_token_file_away_seconds",
    Kind.GAUGE,
    "seconds",
    ("file",),
    "How long a token file could not be read, by the variable that names it; from 300 on nobody is let in; 0 while it can.",
)
CONNECTIONS_CLOSED = MetricSpec(
    "rxtract_http_connections_closed_total",
    Kind.COUNTER,
    "connections",
    ("cause",),
    "Connections that we ended: first_byte, headers, body or answer (not sent or not read in time), or crowded (the one that had "
    "waited longest, to let another in).",
)
HTTP_BUSY = MetricSpec(
    "rxtract_http_busy_total",
    Kind.COUNTER,
    "requests",
    (),
    "Requests answered with 503 because as many others as allowed were being answered.",
)

ACCESSES = MetricSpec(
    "rxtract_access_records_total",
    Kind.COUNTER,
    "records",
    ("result",),
    "Records of the access log: logged, or failed, whose notes were then not shown.",
)

DOOR_METRICS: tuple[MetricSpec, ...] = (TOKEN_LINES_REFUSED, TOKEN_FILE_AWAY, CONNECTIONS_CLOSED, HTTP_BUSY)
"""What every service with an HTTP door measures beside."""

HTTP_REQUESTS = MetricSpec(
    "rxtract_http_requests_total",
    Kind.COUNTER,
    "requests",
    ("status",),
    "Answers of the HTTP door to notes, by status.",
)
HTTP_THROTTLED = MetricSpec(
    "rxtract_http_throttled_total",
    Kind.COUNTER,
    "requests",
    ("producer", "limit"),
    "Requests of a client that were told to come later: limit is notes_per_s, bytes_per_s or bytes_in_flight (429, or 503 where all "
    "clients together used them up), or queue (429).",
)
HTTP_BYTES = MetricSpec(
    "rxtract_http_bytes_in_flight",
    Kind.GAUGE,
    "bytes",
    (),
    "Bytes of bodies in hand, from their first to their answer.",
)
HTTP_SECONDS = MetricSpec(
    "rxtract_http_request_seconds",
    Kind.HISTOGRAM,
    "seconds",
    (),
    "Time to answer a request with notes; at the ingestor the broker's acknowledgement is included.",
    LATENCY_BUCKETS_S,
)
HTTP_NOTES = MetricSpec(
    "rxtract_http_request_notes", Kind.HISTOGRAM, "notes", (), "Notes in one HTTP request.", BATCH_BUCKETS
)

CLIENT_DOOR_METRICS: tuple[MetricSpec, ...] = (
    *DOOR_METRICS,
    HTTP_REQUESTS,
    HTTP_THROTTLED,
    HTTP_BYTES,
    HTTP_SECONDS,
    HTTP_NOTES,
)
"""What a door measures through which clients send notes."""


class Metrics:
    """The metrics of one process, built from their declarations when first asked for.

    Args:
        specs: All that this process may measure; anything else is a KeyError.
        registry: Where they are registered; a new one when left out, so that tests do not meet.
    """

    def __init__(self, specs: Iterable[MetricSpec] = METRICS, registry: CollectorRegistry | None = None) -> None:
        # A second sample for each series, which nobody reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry or CollectorRegistry()
        self._specs = {spec.name: spec for spec in specs}
        self._built: dict[str, MetricWrapperBase] = {}

    def counter(self, spec: MetricSpec) -> Counter:
        """The counter declared by ``spec``."""
        metric = self._metric(spec)
        assert isinstance(metric, Counter)  # noqa: S101 - a wrong kind is a mistake in our code
        return metric

    def gauge(self, spec: MetricSpec) -> Gauge:
        """The gauge declared by ``spec``."""
        metric = self._metric(spec)
        assert isinstance(metric, Gauge)  # noqa: S101
        return metric

    def histogram(self, spec: MetricSpec) -> Histogram:
        """The histogram declared by ``spec``."""
        metric = self._metric(spec)
        assert isinstance(metric, Histogram)  # noqa: S101
        return metric

    def build_all(self) -> None:
        """Build every declared metric now, so that ``/metrics`` shows those at zero too."""
        for spec in self._specs.values():
            self._metric(spec)

    def _metric(self, spec: MetricSpec) -> MetricWrapperBase:
        built = self._built.get(spec.name)
        if built is None:
            built = self._built[spec.name] = _build(self._specs[spec.name], self.registry)
        return built


def _build(spec: MetricSpec, registry: CollectorRegistry) -> MetricWrapperBase:
    match spec.kind:
        case Kind.COUNTER:
            return Counter(spec.name, spec.sentence, spec.labels, registry=registry)
        case Kind.GAUGE:
            return Gauge(spec.name, spec.sentence, spec.labels, registry=registry)
        case Kind.HISTOGRAM:
            return Histogram(
                spec.name, spec.sentence, spec.labels, registry=registry, buckets=spec.buckets or LATENCY_BUCKETS_S
            )
