"""What the answerer measures beside the shared metrics."""

from runtime.service.metrics import CLIENT_DOOR_METRICS, Kind, MetricSpec
from runtime.service.metrics import METRICS as SHARED
from serving.metrics import MODEL_METRICS

NOTES_ANSWERED = MetricSpec(
    "rxtract_notes_answered_total",
    Kind.COUNTER,
    "notes",
    ("producer", "result"),
    "Notes of synchronous requests: result is answered, or the reason code for which a note was not.",
)

METRICS = (*SHARED, *CLIENT_DOOR_METRICS, *MODEL_METRICS, NOTES_ANSWERED)
"""All of them."""
