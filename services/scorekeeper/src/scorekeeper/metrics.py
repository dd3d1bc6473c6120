"""What the scorekeeper measures beside the shared metrics. Every KPI is a metric, made from its declaration in `outcomes.kpis`."""

from outcomes.kpis import KPIS
from runtime.service.metrics import ACCESSES, DOOR_METRICS, Kind, MetricSpec
from runtime.service.metrics import METRICS as SHARED

_OF = ("window", "city", "version")

UNREADABLE_RECORDS = MetricSpec(
    "rxtract_scorekeeper_unreadable_records_total",
    Kind.COUNTER,
    "records",
    ("topic",),
    "Records that were passed over because they could not be decoded.",
)
RECORDS_GONE = MetricSpec(
    "rxtract_scorekeeper_records_gone_total",
    Kind.COUNTER,
    "records",
    ("topic",),
    "Records that Kafka deleted before they became records at rest.",
)
NOTES_FORGOTTEN = MetricSpec(
    "rxtract_scorekeeper_notes_forgotten_total",
    Kind.COUNTER,
    "notes",
    (),
    "Notes of the window beyond RXTRACT_WINDOW_NOTES: a newer revision of one counts twice.",
)
SINK_ROWS = MetricSpec(
    "rxtract_sink_rows_total", Kind.COUNTER, "rows", (), "Rows that became visible in the records at rest."
)
SINK_FILES = MetricSpec("rxtract_sink_files", Kind.GAUGE, "files", (), "Visible files of the records at rest.")
SINK_WAITING = MetricSpec("rxtract_sink_waiting_rows", Kind.GAUGE, "rows", (), "Rows that wait to become a file.")
MEASUREMENTS = MetricSpec(
    "rxtract_quality_measurements_total",
    Kind.COUNTER,
    "measurements",
    (),
    "Measurements of live quality that the broker acknowledged.",
)
LEADS = MetricSpec("rxtract_scorekeeper_leads", Kind.GAUGE, "", (), "1 on the one replica that exports and writes.")

KPI_METRICS: dict[str, MetricSpec] = {
    kpi.name: MetricSpec(kpi.metric, Kind.GAUGE, kpi.base_unit, _OF, f"KPI {kpi.name}: {kpi.sentence}") for kpi in KPIS
}
"""Window is today or week (today and the seven days before); city and version are empty for all of them together."""

QUALITY = MetricSpec(
    "rxtract_quality_ratio",
    Kind.GAUGE,
    "ratio",
    ("measure", "label", "city", "version"),
    "Audited quality of the week: measure is precision, recall or f1, or an end of its 95 % interval (f1_low, f1_high and so on); label is ALL for both together, or a class of what is said, such as 'status NEGATED' or 'relation TREATS'.",
)
AUDITED_NOTES = MetricSpec(
    "rxtract_quality_audited_notes",
    Kind.GAUGE,
    "notes",
    ("city", "version"),
    "Audited notes that the quality rests on.",
)
PREFILL_BIAS = MetricSpec(
    "rxtract_quality_prefill_bias_ratio",
    Kind.GAUGE,
    "ratio",
    ("version",),
    "F1 of audit notes that were shown with predictions minus F1 of those shown without.",
)

SNAPSHOT: tuple[MetricSpec, ...] = (*KPI_METRICS.values(), QUALITY, AUDITED_NOTES, PREFILL_BIAS)
"""What is shown as one whole, or not at all: `scorekeeper.exposition`."""
OWN: tuple[MetricSpec, ...] = (
    *SHARED,
    *DOOR_METRICS,
    ACCESSES,
    UNREADABLE_RECORDS,
    RECORDS_GONE,
    NOTES_FORGOTTEN,
    SINK_ROWS,
    SINK_FILES,
    SINK_WAITING,
    MEASUREMENTS,
    LEADS,
)
"""What is counted as it happens."""
METRICS: tuple[MetricSpec, ...] = (*OWN, *SNAPSHOT)
"""All of them."""
