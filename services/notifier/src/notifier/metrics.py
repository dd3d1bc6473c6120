"""What the notifier measures beside what every service does."""

from runtime.service import metrics
from runtime.service.metrics import Kind, MetricSpec

WEBHOOK_TRIES = MetricSpec(
    "rxtract_webhook_tries_total",
    Kind.COUNTER,
    "deliveries",
    ("source", "result"),
    "Tries to deliver an outcome, by its source and result: delivered, failed (the receiver refused it or took too long: counts towards "
    "giving up), away (it cannot be reached or asked us to come later) or gone (410).",
)
WEBHOOK_GIVEN_UP = MetricSpec(
    "rxtract_webhook_given_up_total",
    Kind.COUNTER,
    "deliveries",
    ("source",),
    "Outcomes that were tried often enough and lie on the dead-letter topic of webhook.deliveries.v1.",
)
WEBHOOK_WAITING = MetricSpec(
    "rxtract_webhook_waiting_age_seconds",
    Kind.GAUGE,
    "seconds",
    ("source",),
    "Age of the oldest outcome that a receiver was offered and has not taken; 0 while it takes them.",
)
WEBHOOK_LAG = MetricSpec(
    "rxtract_webhook_lag_records",
    Kind.GAUGE,
    "records",
    ("source",),
    "Records of all topics that this source's reading has not passed yet, most of them of other sources.",
)
WEBHOOK_SECONDS = MetricSpec(
    "rxtract_webhook_delivery_seconds",
    Kind.HISTOGRAM,
    "seconds",
    (),
    "From an outcome's record to the receiver's 2xx.",
    (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0),
)
WEBHOOK_FILE_REFUSED = MetricSpec(
    "rxtract_webhook_file_refused",
    Kind.GAUGE,
    "",
    (),
    "1 while the file of endpoints cannot be used and the ones from before count, else 0.",
)
WEBHOOK_UNREADABLE = MetricSpec(
    "rxtract_webhook_unreadable_total",
    Kind.COUNTER,
    "records",
    ("source",),
    "Records that name this source and cannot be read: nothing can be told of them.",
)

OWN = (
    WEBHOOK_TRIES,
    WEBHOOK_GIVEN_UP,
    WEBHOOK_WAITING,
    WEBHOOK_LAG,
    WEBHOOK_SECONDS,
    WEBHOOK_FILE_REFUSED,
    WEBHOOK_UNREADABLE,
)
METRICS = (*metrics.METRICS, *OWN)
