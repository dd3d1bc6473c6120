"""What an extractor measures beside what every consumer does."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from prometheus_client import Histogram
from runtime.service.metrics import METRICS as SHARED
from runtime.service.metrics import Kind, MetricSpec
from runtime.stream.faust.app import BATCH_METRICS
from serving.metrics import MODEL_METRICS

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

METRICS: tuple[MetricSpec, ...] = (
    *SHARED,
    *BATCH_METRICS,
    *MODEL_METRICS,
    ENTITIES,
    REVIEWS,
    REVIEWS_UNSENT,
    DRIFT_UNREVIEWED,
    NOTE_SECONDS,
    LIVE_REFUSED,
)


_FEW = 4


def observe_all(histogram: Histogram, values: Sequence[float]) -> None:
    """Observe many values at once: one by one costs as much as reading the note.

    The client offers no such call, so this does what its ``observe`` does; a test compares the two.
    """
    if len(values) < _FEW:
        for value in values:
            histogram.observe(value)
        return
    bounds = histogram._upper_bounds  # noqa: SLF001
    for bucket, count in Counter([bisect_left(bounds, value) for value in values]).items():
        histogram._buckets[bucket].inc(count)  # noqa: SLF001
    histogram._sum.inc(sum(values))  # noqa: SLF001
