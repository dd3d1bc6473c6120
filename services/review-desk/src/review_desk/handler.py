"""Records of the topics in, the projection out. Applying a record twice, or in another order, ends in the same place."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from contracts.records import (
    AnnotationValidated,
    DriftDetected,
    DriftLevel,
    DriftWords,
    ModelEvent,
    ModelEventKind,
    ReviewRequested,
    Sample,
)
from contracts.topics import ANNOTATIONS_VALIDATED, DRIFT_DETECTED, DRIFT_WORDS, MODEL_EVENTS, REVIEW_REQUESTED
from contracts.wire import WireError
from runtime.metrics import Metrics
from runtime.records import InputRecord

from review_desk.adapters.store import Store
from review_desk.domain.spans import token_labels
from review_desk.domain.tasks import Task, Word, in_share
from review_desk.metrics import UNREADABLE_RECORDS

TOPICS = (REVIEW_REQUESTED, ANNOTATIONS_VALIDATED, DRIFT_DETECTED, DRIFT_WORDS, MODEL_EVENTS)
_MODEL_KINDS = frozenset({ModelEventKind.MODEL_TRAINED, ModelEventKind.PROMOTED, ModelEventKind.ROLLED_BACK})
_LEVELS = frozenset({DriftLevel.WARNING, DriftLevel.CRITICAL})


def word_of(event: AnnotationValidated) -> Word:
    """What Redis keeps of a person's word."""
    spans = tuple((entity.start, entity.end, str(entity.label)) for entity in event.entities)
    tokens, labelled = token_labels(event.text, spans)
    said = (event.revision, event.sequence, str(event.outcome), event.annotation_id)
    return Word(*said, tokens, labelled, spans, event.seconds_spent)


class Projection:
    """Builds the queue.

    Args:
        readers: From bytes to a record, by contract topic; they raise WireError, or RegistryUnavailable to be waited out.
        names: Contract topic by full name.
        store: Where the projection is kept.
        double_key: Chooses notes that two people see.
        double_share: Their share.
    """

    def __init__(
        self,
        readers: Mapping[str, Callable[[bytes | None], Any]],
        names: Mapping[str, str],
        store: Store,
        double_key: bytes,
        double_share: float,
        metrics: Metrics,
    ) -> None:
        self._readers = readers
        self._names = names
        self._store = store
        self._double_key = double_key
        self._double_share = double_share
        self._metrics = metrics

    def __call__(self, records: Sequence[InputRecord]) -> None:
        """Apply a batch."""
        requests: list[tuple[InputRecord, ReviewRequested]] = []
        annotations: list[AnnotationValidated] = []
        for record in records:
            event = self._read(record)
            if isinstance(event, ReviewRequested):
                requests.append((record, event))
            elif isinstance(event, AnnotationValidated):
                annotations.append(event)
            elif isinstance(event, DriftDetected):
                self._store.set_drift(event.segment, str(event.level) if event.level in _LEVELS else None)
            elif isinstance(event, DriftWords):
                self._store.set_new_words(event.segment, [found.word for found in event.words])
            elif isinstance(event, ModelEvent) and event.kind in _MODEL_KINDS and event.model_version:
                self._store.add_model(event.model_version, str(event.kind), event.occurred_at, event.taught_by)
        if requests or annotations:
            self._apply(requests, annotations)

    def _apply(
        self, requests: list[tuple[InputRecord, ReviewRequested]], annotations: list[AnnotationValidated]
    ) -> None:
        ours = [event for event in annotations if event.sample != Sample.IMPORTED]
        notes = list(dict.fromkeys([e.note_id for _, e in requests] + [e.note_id for e in ours]))
        known = self._store.entries(notes)
        tasks: dict[str, Task] = {}
        for record, request in requests:
            current = tasks.get(request.note_id) or (known[request.note_id].task if request.note_id in known else None)
            task = self._task(record, request)
            if current is None or task.rank >= current.rank:
                tasks[request.note_id] = task
        self._store.apply(tasks, _latest(ours, self._store.words([e.note_id for e in ours])), known)

    def _task(self, record: InputRecord, request: ReviewRequested) -> Task:
        return Task(
            revision=request.revision,
            serial=request.model.serial,
            partition=record.partition,
            offset=record.offset,
            confidence=request.note_confidence,
            sample=str(request.sample),
            city=request.segment.city,
            specialty=request.segment.specialty,
            requested_at=request.requested_at,
            double=in_share(self._double_key, request.note_id, self._double_share),
        )

    def _read(self, record: InputRecord) -> Any:
        name = self._names[record.topic]
        try:
            return self._readers[name](record.value)
        except WireError:
            self._metrics.counter(UNREADABLE_RECORDS).labels(name).inc()
            return None


def _latest(
    events: Sequence[AnnotationValidated], known: Mapping[str, Mapping[str, Word]]
) -> list[tuple[str, str, Word, int]]:
    """Words that are newer than what is known, one for each note and annotator."""
    newest: dict[tuple[str, str], tuple[Word, int]] = {}
    for event in events:
        place = (event.note_id, event.annotator)
        word = word_of(event)
        seen = newest[place][0] if place in newest else known.get(event.note_id, {}).get(event.annotator)
        if seen is None or (word.revision, word.sequence) >= (seen.revision, seen.sequence):
            newest[place] = (word, event.annotated_at)
    return [(note_id, annotator, word, at) for (note_id, annotator), (word, at) in newest.items()]
