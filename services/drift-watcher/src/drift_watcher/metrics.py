"""What a drift-watcher measures beside what every consumer does."""

from runtime.service.metrics import METRICS as SHARED
from runtime.service.metrics import Kind, MetricSpec
from runtime.stream.faust.app import BATCH_METRICS

DRIFT_SCORE = MetricSpec(
    "rxtract_drift_score",
    Kind.GAUGE,
    "sds",
    ("segment_kind", "statistic"),
    "Largest distance from the model's reference on its harmful side among the segments of a kind; as of the last save.",
)
SEGMENT_SCORE = MetricSpec(
    "rxtract_drift_segment_score",
    Kind.GAUGE,
    "sds",
    ("segment", "statistic"),
    "The same of the ten worst segments of this process, each with its worst statistic; as of the last save.",
)
ALARMS = MetricSpec(
    "rxtract_drift_alarms_total", Kind.COUNTER, "events", ("level", "segment_kind"), "Drift events published."
)
COMMANDS = MetricSpec("rxtract_drift_commands_total", Kind.COUNTER, "commands", ("action",), "Commands published.")
RANGES_DROPPED = MetricSpec(
    "rxtract_drift_ranges_dropped_total", Kind.COUNTER, "ranges", (), "Ranges of notes seen before, wholly or partly."
)
UNJUDGED = MetricSpec(
    "rxtract_drift_records_unjudged_total",
    Kind.COUNTER,
    "records",
    (),
    "Statistics of a model that has no reference: of its notes no drift is found.",
)
STATE_BYTES = MetricSpec(
    "rxtract_drift_state_bytes", Kind.GAUGE, "bytes", ("partition",), "State of a source partition, before compression."
)
STATES_REFUSED = MetricSpec(
    "rxtract_drift_states_refused_total",
    Kind.COUNTER,
    "states",
    (),
    "Stored states that were damaged or of another make.",
)
RESTORE_SECONDS = MetricSpec(
    "rxtract_drift_restore_seconds", Kind.GAUGE, "seconds", (), "How long the last restore after an assignment took."
)

METRICS: tuple[MetricSpec, ...] = (
    *SHARED,
    *BATCH_METRICS,
    DRIFT_SCORE,
    SEGMENT_SCORE,
    ALARMS,
    COMMANDS,
    RANGES_DROPPED,
    UNJUDGED,
    STATE_BYTES,
    STATES_REFUSED,
    RESTORE_SECONDS,
)
