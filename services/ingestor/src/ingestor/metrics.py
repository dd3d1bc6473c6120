"""What the ingestor measures beside the shared metrics."""

from runtime.metrics import BATCH_BUCKETS, DOOR_METRICS, LATENCY_BUCKETS_S, Kind, MetricSpec
from runtime.metrics import METRICS as SHARED

NOTES_ACCEPTED = MetricSpec(
    "rxtract_notes_accepted_total",
    Kind.COUNTER,
    "notes",
    ("door", "producer"),
    "Notes accepted: door is kafka or http, producer the HTTP client's name or kafka.",
)
NOTES_REFUSED = MetricSpec(
    "rxtract_notes_refused_total",
    Kind.COUNTER,
    "notes",
    ("door", "producer", "reason"),
    "Notes refused, by reason code. By Kafka they went to the dead-letter topic, by HTTP the client was told.",
)
NOTES_REPEATED = MetricSpec(
    "rxtract_notes_repeated_total",
    Kind.COUNTER,
    "notes",
    ("result",),
    "Notes that HTTP clients sent again: duplicate (answered from the first result) or conflict (other content, 409).",
)
HTTP_REQUESTS = MetricSpec(
    "rxtract_http_requests_total", Kind.COUNTER, "requests", ("status",), "Answers of POST /v1/notes by status."
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
    "Time to answer POST /v1/notes, the broker's acknowledgement included.",
    LATENCY_BUCKETS_S,
)
HTTP_NOTES = MetricSpec(
    "rxtract_http_request_notes", Kind.HISTOGRAM, "notes", (), "Notes in one HTTP request.", BATCH_BUCKETS
)
HTTP_WAITING = MetricSpec(
    "rxtract_http_waiting_notes", Kind.GAUGE, "notes", (), "Notes of HTTP requests that wait for the broker."
)
DOOR_FAULTS = MetricSpec(
    "rxtract_kafka_door_faults_total",
    Kind.COUNTER,
    "faults",
    (),
    "Faults that ended the Kafka door's loop; it begins again by itself, and the HTTP door serves meanwhile.",
)
DEDUPLICATION_UP = MetricSpec(
    "rxtract_deduplication_up",
    Kind.GAUGE,
    "",
    (),
    "1 while Redis answers, 0 while notes are accepted without a look at earlier ones.",
)

METRICS = (
    *SHARED,
    *DOOR_METRICS,
    NOTES_ACCEPTED,
    NOTES_REFUSED,
    NOTES_REPEATED,
    HTTP_REQUESTS,
    HTTP_THROTTLED,
    HTTP_BYTES,
    HTTP_SECONDS,
    HTTP_NOTES,
    HTTP_WAITING,
    DOOR_FAULTS,
    DEDUPLICATION_UP,
)
"""All of them."""
