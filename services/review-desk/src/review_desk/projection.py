"""Records of the topics in, the projection out. Applying a record twice, or in another order, ends in the same place."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from annotations.spans import relation_ends
from annotations.verdicts import newest
from contracts.identity import note_key
from contracts.reasons import Reason
from contracts.records import (
    AnnotationValidated,
    AnnotatorJudged,
    DriftDetected,
    DriftLevel,
    DriftWords,
    ModelEvent,
    ModelEventKind,
    Prescription,
    ReviewRequested,
    Sample,
)
from contracts.topics import (
    ANNOTATIONS_VALIDATED,
    ANNOTATORS_JUDGED,
    DESK_CHANGED,
    DRIFT_DETECTED,
    DRIFT_WORDS,
    MODEL_EVENTS,
    REVIEW_REQUESTED,
)
from contracts.wire import WireError
from runtime.kafka.deadletter import DeadLetterBudget, dead_letter
from runtime.kafka.records import InputRecord, OutputRecord
from runtime.service.metrics import DEAD_LETTERS, Metrics

from review_desk.adapters.store import Store
from review_desk.domain.spans import token_labels
from review_desk.domain.tasks import DeskVerdict, Task, in_share
from review_desk.metrics import SEALED_REQUESTS, UNREADABLE_RECORDS
from review_desk.watching import Watching

STAGE = "review-desk"
TOPICS = (
    REVIEW_REQUESTED,
    ANNOTATIONS_VALIDATED,
    DRIFT_DETECTED,
    DRIFT_WORDS,
    MODEL_EVENTS,
    ANNOTATORS_JUDGED,
    DESK_CHANGED,
)
_MODEL_KINDS = frozenset({ModelEventKind.MODEL_TRAINED, ModelEventKind.PROMOTED, ModelEventKind.ROLLED_BACK})
_LEVELS = frozenset({DriftLevel.WARNING, DriftLevel.CRITICAL})


def verdict_of(event: AnnotationValidated) -> DeskVerdict:
    """What Redis keeps of an annotation."""
    verdict = DeskVerdict.of(event)
    tokens, labelled = token_labels(event.text, verdict.spans)
    return replace(
        verdict,
        tokens=tokens,
        labelled=labelled,
        seconds=event.seconds_spent,
        related=tuple(sorted(relation_ends(event.entities, event.relations))),
        prescribed=tuple(_digest(entity.prescription, _note(event)) for entity in event.entities),
    )


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
        watching: Judges the people whose annotations were applied, and takes what was decided of them.
        saw: Told of each batch that was applied.
        beside: Keeps what stands beside the queue; given each batch as (record, event).
        dead: Where requests go that cannot be decoded.
    """

    def __init__(
        self,
        readers: Mapping[str, Callable[[bytes | None], Any]],
        names: Mapping[str, str],
        store: Store,
        double_key: bytes,
        *,
        double_share: float,
        dead: DeadRequests,
        metrics: Metrics,
        watching: Watching,
        saw: Callable[[Sequence[InputRecord]], None] = lambda _: None,
        beside: Callable[[Sequence[tuple[InputRecord, Any]]], None] = lambda _: None,
    ) -> None:
        self._saw = saw
        self._beside = beside
        self._watching = watching
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
            Recoverable: A dead letter, or a judgement on a person, was not acknowledged; apply the same batch again.
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
            elif isinstance(event, AnnotatorJudged):
                self._watching.judged(event)
            elif isinstance(event, DriftDetected):
                self._store.set_drift(event.segment, str(event.level) if event.level in _LEVELS else None)
            elif isinstance(event, DriftWords):
                self._store.set_new_words(event.segment, [found.word for found in event.words])
            elif isinstance(event, ModelEvent) and _is_of_model(event) and event.model_version:
                self._store.add_model(event.model_version, str(event.kind), event.occurred_at, event.taught_by)
        if requests or annotations:
            self._apply(requests, annotations)
            self._watching.saw([event for event in annotations if event.sample != Sample.IMPORTED])
        self._beside(decoded)
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
        self._store.apply(shown, _newer(ours, self._store.verdicts([_note(e) for e in ours])), known)

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
            gain=request.expected_gain,
        )

    def _read(self, record: InputRecord) -> Any:
        name = self._names[record.topic]
        try:
            return self._readers[name](record.value)
        except WireError as error:
            self._metrics.counter(UNREADABLE_RECORDS).labels(name).inc()
            return error.reason


def _newer(
    events: Sequence[AnnotationValidated], known: Mapping[str, Mapping[str, DeskVerdict]]
) -> list[tuple[str, DeskVerdict]]:
    """With its note each verdict that is newer than what is known, one for each note and annotator."""
    found: dict[tuple[str, str], DeskVerdict] = {}
    for event in events:
        note, verdict = _note(event), verdict_of(event)
        place = (note, event.annotator)
        before = found.get(place) or known.get(note, {}).get(event.annotator)
        standing = newest(before, verdict)
        if standing != before:
            found[place] = standing
    return [(note, verdict) for (note, _), verdict in found.items()]
