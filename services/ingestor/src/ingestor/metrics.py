"""What the ingestor measures beside the shared metrics."""

from runtime.service.metrics import CLIENT_DOOR_METRICS, Kind, MetricSpec
from runtime.service.metrics import METRICS as SHARED

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
    "Notes refused, by reason code. They went to the dead-letter topic; by HTTP the client was told, too.",
)
NOTES_REPEATED = MetricSpec(
    "rxtract_notes_repeated_total",
    Kind.COUNTER,
    "notes",
    ("result",),
    "Notes that HTTP clients sent again: duplicate (answered from the first result) or conflict (other content, 409).",
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
    *CLIENT_DOOR_METRICS,
    NOTES_ACCEPTED,
    NOTES_REFUSED,
    NOTES_REPEATED,
    HTTP_WAITING,
    DOOR_FAULTS,
    DEDUPLICATION_UP,
)
"""All of them."""
