"""What the review desk measures beside the shared metrics."""

from runtime.service.metrics import ACCESSES, DOOR_METRICS, LATENCY_BUCKETS_S, Kind, MetricSpec
from runtime.service.metrics import METRICS as SHARED

DECISIONS = MetricSpec(
    "rxtract_desk_decisions_total",
    Kind.COUNTER,
    "notes",
    ("sample", "outcome"),
    "Decisions of validators that the broker acknowledged, by sample and outcome.",
)
WAITING = MetricSpec(
    "rxtract_desk_waiting_notes", Kind.GAUGE, "notes", ("queue",), "Notes that wait: open, audit, second or lead."
)
OLDEST = MetricSpec(
    "rxtract_desk_oldest_waiting_seconds",
    Kind.GAUGE,
    "seconds",
    ("queue",),
    "Time since the request of the note that has waited longest in a queue; 0 while none waits.",
)
HTTP_SECONDS = MetricSpec(
    "rxtract_desk_request_seconds",
    Kind.HISTOGRAM,
    "seconds",
    ("action",),
    "Time to answer: next (a note is handed out) or decision (the broker's acknowledgement included).",
    LATENCY_BUCKETS_S,
)
TEXTS_GONE = MetricSpec(
    "rxtract_desk_texts_gone_total",
    Kind.COUNTER,
    "notes",
    (),
    "Tasks given up because their request had left the topic by age before anyone looked.",
)
UNREADABLE_RECORDS = MetricSpec(
    "rxtract_desk_unreadable_records_total",
    Kind.COUNTER,
    "records",
    ("topic",),
    "Records that the desk's projection passed over because they could not be decoded.",
)
SEALED_REQUESTS = MetricSpec(
    "rxtract_desk_sealed_requests_total",
    Kind.COUNTER,
    "requests",
    (),
    "Review requests that nobody could judge here because their text is sealed: passed over.",
)
REBUILDS = MetricSpec(
    "rxtract_desk_rebuilds_total", Kind.COUNTER, "rebuilds", (), "Times the queue was read from the topics anew."
)
PEOPLE_HELD = MetricSpec(
    "rxtract_desk_people_held", Kind.GAUGE, "people", (), "People whose labels do not count until a lead has looked."
)

METRICS = (
    *SHARED,
    *DOOR_METRICS,
    ACCESSES,
    DECISIONS,
    WAITING,
    OLDEST,
    HTTP_SECONDS,
    TEXTS_GONE,
    UNREADABLE_RECORDS,
    SEALED_REQUESTS,
    REBUILDS,
    PEOPLE_HELD,
)
"""All of them."""
