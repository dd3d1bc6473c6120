"""Records of the topics in, numbers and rows out. A batch is decoded whole before any of it counts, so that it can be tried again."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from contracts.reasons import Reason
from contracts.records import (
    AnnotationValidated,
    AnnotatorJudged,
    DriftDetected,
    EntitiesCoded,
    EntitiesExtracted,
    ModelEvent,
    QualityMeasured,
)
from contracts.topics import (
    ANNOTATIONS_VALIDATED,
    ANNOTATORS_JUDGED,
    DLQ_SUFFIX,
    DRIFT_DETECTED,
    ENTITIES_CODED,
    ENTITIES_EXTRACTED,
    MODEL_EVENTS,
    QUALITY_MEASURED,
)
from contracts.wire import WireError
from outcomes.folding import DeadLetter
from outcomes.records_at_rest import codes_row_of, row_of
from runtime.kafka.deadletter import REASON, header, origin_of
from runtime.kafka.records import InputRecord, OutputRecord
from runtime.service.metrics import RECORDS_CONSUMED, Metrics

from scorekeeper.adapters.sink import Sink, Sinks
from scorekeeper.domain.board import Board
from scorekeeper.domain.measuring import Said
from scorekeeper.domain.refusals import RefusedOnce
from scorekeeper.metrics import NOTES_FORGOTTEN, UNREADABLE_RECORDS

RECORD_TYPES: Mapping[str, Any] = {
    ENTITIES_EXTRACTED: EntitiesExtracted,
    ENTITIES_CODED: EntitiesCoded,
    ANNOTATIONS_VALIDATED: AnnotationValidated,
    ANNOTATORS_JUDGED: AnnotatorJudged,
    DRIFT_DETECTED: DriftDetected,
    MODEL_EVENTS: ModelEvent,
    QUALITY_MEASURED: QualityMeasured,
}
"""What is decoded; of dead letters the headers are enough."""
_ROWS: Mapping[str, Callable[[Any, ZoneInfo], Mapping[str, Any]]] = {
    ENTITIES_EXTRACTED: row_of,
    ENTITIES_CODED: codes_row_of,
}
"""Topics whose records become rows."""
UNKNOWN_REASON = "UNKNOWN"
Read = Callable[[bytes | None], Any]


class Fold:
    """Takes batches.

    Args:
        readers: From bytes to a record, by contract topic; they raise WireError, or RegistryUnavailable to be waited out.
        names: Contract topic by full name.
        board: Where the numbers are kept.
        said: Measurements that the topic has.
        sink: Where rows go.
        saw: Told of each batch that was taken.
    """

    def __init__(
        self,
        readers: Mapping[str, Read],
        names: Mapping[str, str],
        board: Board,
        said: Said,
        *,
        sink: Sink | Sinks,
        metrics: Metrics,
        saw: Callable[[Sequence[InputRecord]], None] = lambda _: None,
    ) -> None:
        self._saw = saw
        self._readers = readers
        self._names = names
        self._board = board
        self._said = said
        self._sink = sink
        self._metrics = metrics
        self._forgotten = 0
        self.count_from: dict[tuple[str, int], int] = {}
        """First offset that counts for the numbers, by topic and partition; rows have their own (`Sink.next_offset`)."""

    def __call__(self, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        """Count and keep a batch; nothing is to be published.

        Raises:
            RegistryUnavailable: Nothing of the batch was taken.
        """
        decoded = [(record, self._read(record)) for record in records]
        with self._board.lock:
            for record, event in decoded:
                if record.offset >= self.count_from.get((record.topic, record.partition), 0):
                    self._count(record, event)
        forgotten = self._board.folded.notes.forgotten
        self._metrics.counter(NOTES_FORGOTTEN).inc(forgotten - self._forgotten)
        self._forgotten = forgotten
        for topic, times in Counter(record.topic for record in records).items():
            self._metrics.counter(RECORDS_CONSUMED).labels(self._names[topic]).inc(times)
        for record, event in decoded:
            if (row := _ROWS.get(self._names[record.topic])) is not None:
                self._sink.take(record, None if event is None else row(event, self._board.zone))
        self._saw(records)
        return ()

    def _count(self, record: InputRecord, event: Any) -> None:
        folded = self._board.folded
        match event:
            case EntitiesExtracted():
                folded.extracted(event)
                self._board.pulse.take(event)
            case AnnotationValidated():
                folded.validated(event)
            case AnnotatorJudged():
                folded.judged(event)
            case DriftDetected():
                folded.detected(event)
            case ModelEvent():
                folded.model_event(event)
            case QualityMeasured():
                self._said.take(event)
            case EntitiesCoded():
                pass  # rows alone: no number counts codes
            case _:
                self._count_refused(record)

    def _count_refused(self, record: InputRecord) -> None:
        name = self._names[record.topic]
        if not name.endswith(DLQ_SUFFIX):
            return
        said = (header(record.headers, REASON) or b"").decode("ascii", "replace")
        reason = said if said in Reason.__members__ else UNKNOWN_REASON  # a header that others write may hold anything
        place = f"{name} {record.partition}:{record.offset}"
        note = (record.key or b"").decode("utf-8", "replace")
        origin = origin_of(record.headers)
        self._board.refusals.take(note, RefusedOnce(reason, record.timestamp_ms, place))
        self._board.folded.dead_lettered(DeadLetter(name, reason, record.timestamp_ms, place, origin, note))

    def _read(self, record: InputRecord) -> Any:
        name = self._names[record.topic]
        if name.endswith(DLQ_SUFFIX):
            return None
        try:
            return self._readers[name](record.value)
        except WireError:
            self._metrics.counter(UNREADABLE_RECORDS).labels(name).inc()
            return None
