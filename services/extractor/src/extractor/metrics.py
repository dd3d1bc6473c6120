"""What an extractor measures beside what every consumer does."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from prometheus_client import Histogram
from runtime.faust_batch import BATCH_METRICS
from runtime.metrics import METRICS as SHARED
from runtime.metrics import Kind, MetricSpec

ENTITIES = MetricSpec("rxtract_entities_total", Kind.COUNTER, "entities", ("label",), "Entities found.")
REVIEWS = MetricSpec(
    "rxtract_reviews_requested_total", Kind.COUNTER, "notes", ("reason",), "Notes sent to the review desk."
)
REVIEWS_UNSENT = MetricSpec(
    "rxtract_reviews_unsent_total",
    Kind.COUNTER,
    "notes",
    ("reason",),
    "Notes that were due for review but make too large a request; their entities were published all the same.",
)
DRIFT_UNREVIEWED = MetricSpec(
    "rxtract_drift_unreviewed_total",
    Kind.COUNTER,
    "notes",
    (),
    "Notes of drifted segments beyond the day's budget of reviews; flagged so on their entity events.",
)
RELOAD_SECONDS = MetricSpec(
    "rxtract_model_reload_seconds",
    Kind.GAUGE,
    "seconds",
    (),
    "Time from the last promotion's or rollback's event to its model serving here.",
)
NOTE_SECONDS = MetricSpec(
    "rxtract_note_to_entity_seconds",
    Kind.HISTOGRAM,
    "seconds",
    (),
    "Time from the acceptance of a live note to its entity event.",
)
LIVE_REFUSED = MetricSpec(
    "rxtract_live_notes_refused_total",
    Kind.COUNTER,
    "notes",
    (),
    "Live notes that ended as dead letters, and those too broken to say whether they are live: they never get entities.",
)
TAGGER_FAILURES = MetricSpec(
    "rxtract_tagger_failures_total", Kind.COUNTER, "failures", (), "Calls of the tagger that raised."
)
MODEL_INFO = MetricSpec(
    "rxtract_model_info", Kind.GAUGE, "", ("name", "version"), "1 for the model version that is served."
)
MODEL_SERIAL = MetricSpec(
    "rxtract_model_serial", Kind.GAUGE, "", (), "Serial of the served model; rises with each promotion or rollback."
)
MODEL_CHECK_AGE = MetricSpec(
    "rxtract_model_check_age_seconds",
    Kind.GAUGE,
    "seconds",
    (),
    "Time since the model registry last answered which model is champion.",
)
RULES_RELOAD_SECONDS = MetricSpec(
    "rxtract_rules_reload_seconds",
    Kind.GAUGE,
    "seconds",
    (),
    "Time from the last release's or rollback's event of rules to their serving here.",
)
RULES_INFO = MetricSpec(
    "rxtract_rules_info", Kind.GAUGE, "", ("name", "version"), "1 for the release of rules that is served."
)
RULES_SERIAL = MetricSpec(
    "rxtract_rules_serial",
    Kind.GAUGE,
    "",
    (),
    "Serial of the served rules; rises with each release or rollback; 0: those of this program, none were released.",
)
RULES_CHECK_AGE = MetricSpec(
    "rxtract_rules_check_age_seconds",
    Kind.GAUGE,
    "seconds",
    (),
    "Time since the model registry last answered which rules serve.",
)
RULES_LOADS = MetricSpec(
    "rxtract_rules_loads_total",
    Kind.COUNTER,
    "loads",
    ("result",),
    "Releases of rules loaded: ok, cached (MLflow was down), refused (damaged or failed its smoke test), unavailable (no memory, or nothing known).",
)
MODEL_LOADS = MetricSpec(
    "rxtract_model_loads_total",
    Kind.COUNTER,
    "loads",
    ("result",),
    "Models loaded: ok, cached (MLflow was down), refused (damaged or failed its smoke test), unavailable (none is there, or no memory).",
)

METRICS: tuple[MetricSpec, ...] = (
    *SHARED,
    *BATCH_METRICS,
    ENTITIES,
    REVIEWS,
    REVIEWS_UNSENT,
    DRIFT_UNREVIEWED,
    RELOAD_SECONDS,
    NOTE_SECONDS,
    LIVE_REFUSED,
    TAGGER_FAILURES,
    MODEL_INFO,
    MODEL_SERIAL,
    MODEL_CHECK_AGE,
    MODEL_LOADS,
    RULES_RELOAD_SECONDS,
    RULES_INFO,
    RULES_SERIAL,
    RULES_CHECK_AGE,
    RULES_LOADS,
)


def observe_all(histogram: Histogram, values: Sequence[float]) -> None:
    """Observe many values at once: one by one costs as much as reading the note.

    The client offers no such call, so this does what its ``observe`` does; a test compares the two.
    """
    bounds = histogram._upper_bounds  # noqa: SLF001
    for bucket, count in Counter([bisect_left(bounds, value) for value in values]).items():
        histogram._buckets[bucket].inc(count)  # noqa: SLF001
    histogram._sum.inc(sum(values))  # noqa: SLF001
