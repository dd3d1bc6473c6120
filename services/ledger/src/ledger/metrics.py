"""What the ledger measures beside the shared metrics."""

from runtime.service.metrics import CONSUMER_ERRORS, CONSUMER_LAG, READY, RECORDS_CONSUMED, START, Kind, MetricSpec

NOTES_SUBMITTED = MetricSpec(
    "rxtract_ledger_submitted_total",
    Kind.COUNTER,
    "notes",
    (),
    "Notes that came by any door, each as often as it came, since the account began; kept over restarts, as the other counts of the ledger.",
)
NOTES_ANSWERED = MetricSpec(
    "rxtract_ledger_answered_total",
    Kind.COUNTER,
    "notes",
    ("by",),
    "Notes that have their effect: by effect (an entity event) or dead_letter.",
)
NOTES_OPEN = MetricSpec(
    "rxtract_notes_open", Kind.GAUGE, "notes", (), "Notes that were submitted and have no effect yet, and are not lost."
)
OLDEST_OPEN = MetricSpec(
    "rxtract_notes_open_oldest_seconds",
    Kind.GAUGE,
    "seconds",
    (),
    "How long the oldest open note has been known to the ledger; 0 while none is open.",
)
NOTES_LOST = MetricSpec(
    "rxtract_notes_lost_total",
    Kind.COUNTER,
    "notes",
    (),
    "Notes without an effect RXTRACT_LOST_AFTER_S after the service that had to answer committed past them.",
)
NOTES_LATE = MetricSpec(
    "rxtract_notes_late_total",
    Kind.COUNTER,
    "notes",
    (),
    "Lost notes whose effect came after all: they are lost no more.",
)
UNREAD = MetricSpec(
    "rxtract_ledger_unread_total",
    Kind.COUNTER,
    "records",
    ("topic",),
    "Entity events and dead letters that name no note and no place.",
)
JUMPS = MetricSpec(
    "rxtract_ledger_jumps_total",
    Kind.COUNTER,
    "jumps",
    ("kind",),
    "Changes of a reading position that the log did not make by itself: expired (retention deleted what was not read), cut (the log ends "
    "before it) or skipped (the client left records out; they were read after all).",
)

METRICS: tuple[MetricSpec, ...] = (
    READY,
    START,
    CONSUMER_ERRORS,
    CONSUMER_LAG,
    RECORDS_CONSUMED,
    NOTES_SUBMITTED,
    NOTES_ANSWERED,
    NOTES_OPEN,
    OLDEST_OPEN,
    NOTES_LOST,
    NOTES_LATE,
    UNREAD,
    JUMPS,
)
"""All of them."""
