"""Records of the topics in, the projection out. Applying a record twice, or in another order, ends in the same place."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from contracts.identity import note_key
from contracts.reasons import Reason
from contracts.records import (
    AnnotationValidated,
    DriftDetected,
    DriftLevel,
    DriftWords,
    Entity,
    ModelEvent,
    ModelEventKind,
    Prescription,
    ReviewRequested,
    Sample,
)
from contracts.topics import ANNOTATIONS_VALIDATED, DRIFT_DETECTED, DRIFT_WORDS, MODEL_EVENTS, REVIEW_REQUESTED
from contracts.wire import WireError
from runtime.deadletter import DeadLetterBudget, dead_letter
from runtime.metrics import DEAD_LETTERS, Metrics
from runtime.records import InputRecord, OutputRecord

from review_desk.adapters.store import Store
from review_desk.domain.spans import ends_of, stated_of, token_labels
from review_desk.domain.tasks import Task, Word, in_share
from review_desk.metrics import SEALED_REQUESTS, UNREADABLE_RECORDS

STAGE = "review-desk"
TOPICS = (REVIEW_REQUESTED, ANNOTATIONS_VALIDATED, DRIFT_DETECTED, DRIFT_WORDS, MODEL_EVENTS)
_MODEL_KINDS = frozenset({ModelEventKind.MODEL_TRAINED, ModelEventKind.PROMOTED, ModelEventKind.ROLLED_BACK})
_LEVELS = frozenset({DriftLevel.WARNING, DriftLevel.CRITICAL})


def word_of(event: AnnotationValidated) -> Word:
    """What Redis keeps of a person's word."""
    spans = tuple((entity.start, entity.end, str(entity.label)) for entity in event.entities)
    tokens, labelled = token_labels(event.text, spans)
    said = (event.revision, event.sequence, str(event.outcome), event.annotation_id)
    return Word(
        *said,
        tokens,
        labelled,
        spans,
        event.seconds_spent,
        tuple(_stated(entity) for entity in event.entities),
        tuple(sorted(ends_of(event.entities, event.relations))),
        tuple(_digest(entity.prescription, _note(event)) for entity in event.entities),
    )


def _stated(entity: Entity) -> str:
    said = stated_of(entity.assertion)
    return "" if said is None or said.status == "UNKNOWN" else f"{said.status} {said.time} {said.experiencer}"


def _digest(prescription: Prescription | None, note: str) -> str:
    """Tells whether two people wrote the same of one note, and nothing else: no text is kept in Redis."""
    if prescription is None:
        return ""
    key = hashlib.sha256(note.encode("utf-8", "surrogatepass")).digest()
    written = json.dumps(prescription.to_dict(), sort_keys=True).encode()
    return hashlib.blake2b(written, digest_size=6, key=key).hexdigest()


def _is_of_model(event: ModelEvent) -> bool:
    """A release of rules has no teachers to thank."""
    return event.rules_version is None and event.kind in _MODEL_KINDS


def _note(event: ReviewRequested | AnnotationValidated) -> str:
    return note_key(event.source, event.note_id)


class DeadRequests:
    """Requests that cannot be decoded. They are the desk's to refuse: nobody else reads them. Other topics' readers refuse theirs.

    Every replica reads everything, and reads it again when Redis was wiped. So each claims what it is about to send: one copy, or one more
    after a wipe.

    Args:
        publish: Sends and waits for the broker's word; raises Recoverable.
    """

    def __init__(self, store: Store, publish: Callable[[Sequence[OutputRecord]], None], metrics: Metrics) -> None:
        self._store = store
        self._publish = publish
        self._metrics = metrics
        self._budget = DeadLetterBudget()

    def send(self, decoded: Sequence[tuple[InputRecord, Any]]) -> None:
        """Send those that have a reason in place of an event; see `Projection.__call__` for what it raises."""
        for _, event in decoded:
            self._budget.count(dead=isinstance(event, Reason))
        for record, event in decoded:
            if isinstance(event, Reason) and self._store.claim_dead(record.partition, record.offset):
                self._send_one(record, event)

    def _send_one(self, record: InputRecord, reason: Reason) -> None:
        try:
            self._publish([dead_letter(record, reason, STAGE)])
        except BaseException:
            self._store.unclaim_dead(record.partition, record.offset)
            raise
        self._metrics.counter(DEAD_LETTERS).labels(STAGE, reason.value).inc()


class Projection:
    """Builds the queue.

    Args:
        readers: From bytes to a record, by contract topic; they raise WireError, or RegistryUnavailable to be waited out.
        names: Contract topic by full name.
        store: Where the projection is kept.
        double_key: Chooses notes that two people see.
        double_share: Their share.
        saw: Told of each batch that was applied.
        dead: Where requests go that cannot be decoded.
    """

    def __init__(
        self,
        readers: Mapping[str, Callable[[bytes | None], Any]],
        names: Mapping[str, str],
        store: Store,
        double_key: bytes,
        double_share: float,
        dead: DeadRequests,
        metrics: Metrics,
        saw: Callable[[Sequence[InputRecord]], None] = lambda _: None,
    ) -> None:
        self._saw = saw
        self._readers = readers
        self._names = names
        self._store = store
        self._double_key = double_key
        self._double_share = double_share
        self._dead = dead
        self._metrics = metrics

    def __call__(self, records: Sequence[InputRecord]) -> None:
        """Apply a batch.

        Raises:
            BudgetExceeded: Too many requests cannot be decoded: this release is to blame.
            Recoverable: A dead letter was not acknowledged; nothing of the batch was applied.
        """
        requests: list[tuple[InputRecord, ReviewRequested]] = []
        annotations: list[AnnotationValidated] = []
        decoded = [(record, self._read(record)) for record in records]
        self._dead.send([(record, event) for record, event in decoded if self._names[record.topic] == REVIEW_REQUESTED])
        for record, event in decoded:
            if isinstance(event, ReviewRequested):
                requests.append((record, event))
            elif isinstance(event, AnnotationValidated):
                annotations.append(event)
            elif isinstance(event, DriftDetected):
                self._store.set_drift(event.segment, str(event.level) if event.level in _LEVELS else None)
            elif isinstance(event, DriftWords):
                self._store.set_new_words(event.segment, [found.word for found in event.words])
            elif isinstance(event, ModelEvent) and _is_of_model(event) and event.model_version:
                self._store.add_model(event.model_version, str(event.kind), event.occurred_at, event.taught_by)
        if requests or annotations:
            self._apply(requests, annotations)
        self._saw(records)

    def _apply(
        self, requests: list[tuple[InputRecord, ReviewRequested]], annotations: list[AnnotationValidated]
    ) -> None:
        ours = [event for event in annotations if event.sample != Sample.IMPORTED]
        notes = list(dict.fromkeys([_note(e) for _, e in requests] + [_note(e) for e in ours]))
        known = dict(self._store.entries(notes))
        tasks: dict[str, Task] = {}
        sealed: set[str] = set()
        for record, request in requests:
            note = _note(request)
            current = tasks.get(note) or (known[note].task if note in known else None)
            task = self._task(record, request)
            if current is None or task.rank >= current.rank:
                tasks[note] = task
                (sealed.add if self._is_sealed(request) else sealed.discard)(note)
        # Nobody can judge these here; what an older revision of them asked is void.
        self._store.drop(*(known.pop(note) for note in sealed if note in known))
        shown = {note: task for note, task in tasks.items() if note not in sealed}
        self._store.apply(shown, _latest(ours, self._store.words([_note(e) for e in ours])), known)

    def _is_sealed(self, request: ReviewRequested) -> bool:
        """Whether there is no text to judge, because it is sealed. Each is counted."""
        sealed = request.sealed is not None and not request.text
        if sealed:
            self._metrics.counter(SEALED_REQUESTS).inc()
        return sealed

    def _task(self, record: InputRecord, request: ReviewRequested) -> Task:
        return Task(
            revision=request.revision,
            serial=request.model.serial,
            rules_serial=request.rules_serial,
            partition=record.partition,
            offset=record.offset,
            confidence=request.note_confidence,
            sample=str(request.sample),
            city=request.segment.city,
            specialty=request.segment.specialty,
            requested_at=request.requested_at,
            double=in_share(self._double_key, _note(request), self._double_share),
        )

    def _read(self, record: InputRecord) -> Any:
        name = self._names[record.topic]
        try:
            return self._readers[name](record.value)
        except WireError as error:
            self._metrics.counter(UNREADABLE_RECORDS).labels(name).inc()
            return error.reason


def _latest(
    events: Sequence[AnnotationValidated], known: Mapping[str, Mapping[str, Word]]
) -> list[tuple[str, str, Word, int]]:
    """Words that are newer than what is known, one for each note and annotator."""
    newest: dict[tuple[str, str], tuple[Word, int]] = {}
    for event in events:
        place = (_note(event), event.annotator)
        word = word_of(event)
        seen = newest[place][0] if place in newest else known.get(_note(event), {}).get(event.annotator)
        if seen is None or (word.revision, word.sequence) >= (seen.revision, seen.sequence):
            newest[place] = (word, event.annotated_at)
    return [(note, annotator, word, at) for (note, annotator), (word, at) in newest.items()]
