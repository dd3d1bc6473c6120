"""What the desk does for a person: hands out the next note, takes decisions, keeps drafts, tells the figures."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from contracts.identity import annotation_id, note_key
from contracts.records import AnnotationOutcome, AnnotationValidated, Entity, Relation, ReviewRequested
from runtime.errors import Recoverable
from runtime.metrics import Metrics

from review_desk.adapters.store import KEEP_S, Entry, Store
from review_desk.adapters.texts import Requests
from review_desk.domain.agreement import agreement, said_agreement
from review_desk.domain.spans import (
    Mark,
    Pair,
    changes_of,
    ends_of,
    entities_of,
    relations_of,
    represcribed,
    restated,
)
from review_desk.domain.tasks import LABELLING, Queue, Span, Word, may_change, may_take, settled, why
from review_desk.handler import word_of
from review_desk.metrics import DECISIONS, TEXTS_GONE

_CHUNK = 20
_MOST_AT_ONCE = 1_000
_MAX_SECONDS = 24 * 3600.0
_PACE_S = 3600
AS_THE_MODEL = "as the model left it"


class Conflict(Exception):
    """The note is not this person's to decide on any more; the message says why and is shown."""


class Unsendable(Exception):
    """A decision that no record can hold, however often it is sent; the message says what to do and is shown."""

    def __init__(self, message: str, *, too_large: bool) -> None:
        super().__init__(message)
        self.too_large = too_large


class Publisher(Protocol):
    """Sends an annotation and waits until the broker has it."""

    def __call__(self, event: AnnotationValidated) -> None:
        """Raise `Recoverable` when it was not acknowledged, `Unsendable` when it never will be."""


@dataclass(frozen=True, slots=True)
class Reviewer:
    """A person at the desk."""

    annotator: str
    leads: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person says on a note."""

    outcome: str | None
    marks: tuple[Mark, ...]
    pairs: tuple[Pair, ...]
    seconds_spent: float
    sequence: int | None
    lease: str

    @property
    def says_of_entities(self) -> bool:
        """Whether the client knows of statuses and of every relation: then what it sends is all that there is."""
        return any(mark.stated is not None for mark in self.marks)


@dataclass(frozen=True, slots=True)
class Held:
    """A note, by its key, that a page says it holds."""

    note: str
    revision: int
    lease: str


@dataclass(frozen=True, slots=True)
class Handed:
    """A note as it is handed out."""

    entry: Entry
    queue: Queue
    request: ReviewRequested
    lease: str
    why: str
    sequence: int
    draft: Any


@dataclass(frozen=True, slots=True)
class Looked:
    """A note as it is shown to somebody who only looks.

    Attributes:
        spans: Marked places; none while the note waits for this person's own word.
        said_by: Whose they are, in plain words.
    """

    request: ReviewRequested
    spans: tuple[Span, ...]
    said_by: str


class Desk:
    """The desk, whoever asks.

    Args:
        lease_s: Seconds for which a note belongs to the one who opened it.
        audit_every: Every n-th note is one of the audit.
        clock: UTC milliseconds.
    """

    def __init__(
        self,
        store: Store,
        requests: Requests,
        publish: Publisher,
        metrics: Metrics,
        *,
        lease_s: int,
        audit_every: int,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._store = store
        self._requests = requests
        self._publish = publish
        self._metrics = metrics
        self._lease_s = lease_s
        self._audit_every = audit_every
        self._clock = clock

    def next(self, who: Reviewer, segment: str = "all", holding: Sequence[str] = ()) -> Handed | None:
        """Hand out a note: one that the person had opened before, else the first that nobody holds.

        Raises:
            Recoverable: The queue is being rebuilt, or a server is away.
        """
        self._need_ready()
        drifted = self._store.drifted()
        mine = [note for note in self._store.held(who.annotator) if note not in holding]
        for entry in self._store.entries(mine).values():
            handed = self._try(entry, who, drifted)
            if handed is not None:
                return handed
        gone: list[tuple[Queue, str, str]] = []
        handed = self._first_free(who, segment, holding, drifted, gone)
        for queue, place, note in gone:  # not before: a queue must not shift under the one who walks along it
            self._store.forget(queue, place, note)
        return handed

    def _first_free(
        self,
        who: Reviewer,
        segment: str,
        holding: Sequence[str],
        drifted: Mapping[str, str],
        gone: list[tuple[Queue, str, str]],
    ) -> Handed | None:
        for queue, place, notes in self._candidates(who, segment, drifted):
            wanted = [note for note in notes if note not in holding]
            found = self._store.entries(wanted)
            gone += [(queue, place, note) for note in wanted if note not in found]
            for entry in found.values():
                handed = None if entry.holder else self._try(entry, who, drifted)
                if handed is not None:
                    return handed
        return None

    def _need_ready(self) -> None:
        if not self._store.is_ready():
            raise Recoverable("the queue is being read from the topics; try again in a moment")

    def _candidates(
        self, who: Reviewer, segment: str, drifted: Mapping[str, str]
    ) -> Iterator[tuple[Queue, str, list[str]]]:
        """Chunks of notes in the order in which they should be looked at, with the queue and the segment they wait in."""
        usual = [(Queue.OPEN, place) for place in _by_need(segment, drifted)]
        ordered = [(Queue.SECOND, segment), *usual, (Queue.AUDIT, segment)]
        if self._store.next_turn() % self._audit_every == 0:
            ordered = [(Queue.AUDIT, segment), (Queue.SECOND, segment), *usual]
        if who.leads:
            ordered.insert(0, (Queue.LEAD, segment))
        for queue, place in ordered:
            for notes in self._unspoken(who, queue, place):
                yield queue, place, notes

    def _unspoken(self, who: Reviewer, queue: Queue, place: str) -> Iterator[list[str]]:
        """A queue from its front to its end without what the person has spoken on: a backlog of that hides nothing."""
        start, count = 0, _CHUNK
        while notes := self._store.front(queue, place, start, count):
            fresh = self._store.unspoken(who.annotator, notes)
            for first in range(0, len(fresh), _CHUNK):
                yield fresh[first : first + _CHUNK]
            start, count = start + count, min(4 * count, _MOST_AT_ONCE)

    def _try(self, entry: Entry, who: Reviewer, drifted: Mapping[str, str]) -> Handed | None:
        queue = entry.queue
        if queue is None or not may_take(who.annotator, entry.task, entry.words):
            return None
        if queue is Queue.LEAD and not who.leads:
            return None
        token = _token_of(entry.holder, who) or secrets.token_urlsafe(12)
        if not self._hold(who, entry.note, token):
            return None
        request = self._read_or_let_go(entry, _holder(who, token))
        if request is None or note_key(request.source, request.note_id) != entry.note:
            self._metrics.counter(TEXTS_GONE).inc()
            self._store.drop(entry)
            return None
        self._store.note_held(who.annotator, entry.note, self._lease_s)
        draft = self._store.draft(who.annotator, entry.note, entry.task.revision)
        return Handed(entry, queue, request, token, why(entry.task, queue, drifted), 1, draft)

    def _read_or_let_go(self, entry: Entry, holder: str) -> ReviewRequested | None:
        """The text of a note that was just taken. If it cannot be read, whoever asks next may have the note."""
        try:
            return self._requests.read(entry.task.partition, entry.task.offset)
        except Exception:
            if entry.holder is None:  # a note that the person had open before stays with him
                self._store.release(entry.note, holder)
            raise

    def decide(self, who: Reviewer, note: str, revision: int, decision: Decision) -> str:
        """Publish a person's word, then mark the note. Gives its annotation_id; the same word twice is one word.

        Raises:
            Conflict: A newer revision came, another person holds the note, or it is finished.
            SpansRefused: Entities do not fit the text.
            Unsendable: What was said fits into no record.
            Recoverable: Nothing was published for sure; send the same again.
        """
        self._need_ready()
        entry = self._store.entries([note]).get(note)
        if entry is None:
            raise Conflict("this note is not in the queue")
        sequence = decision.sequence or 1
        mine = entry.words.get(who.annotator)
        if mine is not None and mine.revision == revision and sequence <= mine.sequence:
            if not _same_word(mine, decision):
                raise Conflict("you decided this note already, perhaps in another tab")
            return mine.annotation_id  # sent again: the answer got lost, the word did not
        self._check(entry, who, revision, decision)
        request = self._requests.read(entry.task.partition, entry.task.offset)
        if request is None:
            raise Conflict("this note has left the topic by age")
        event = self._event(who, entry, request, decision, sequence)
        self._publish(event)
        self._metrics.counter(DECISIONS).labels(str(event.sample), str(event.outcome)).inc()
        self._finish(who, note, decision.lease, event)
        return event.annotation_id

    def _check(self, entry: Entry, who: Reviewer, revision: int, decision: Decision) -> None:
        if revision != entry.task.revision:
            raise Conflict("a newer revision of this note came; it will be shown anew")
        if not may_take(who.annotator, entry.task, entry.words):
            if not may_change(who.annotator, entry.task, entry.words):
                raise Conflict("this note is closed: a lead has decided it")
        elif entry.queue is None:
            raise Conflict("this note is finished")
        elif entry.queue is Queue.LEAD and not who.leads:
            raise Conflict("this note waits for a lead")
        # A lease that ran out or was wiped away is taken again, unless another person has the note now.
        self._keep(who, entry.note, decision.lease)

    def _hold(self, who: Reviewer, note: str, lease: str) -> bool:
        """Take or keep a lease; false when another person has the note."""
        holder = _holder(who, lease)
        return self._store.hold(note, holder, self._lease_s) == holder

    def _keep(self, who: Reviewer, note: str, lease: str) -> None:
        if not self._hold(who, note, lease):
            raise Conflict("another person has this note now")

    def _event(
        self, who: Reviewer, entry: Entry, request: ReviewRequested, decision: Decision, sequence: int
    ) -> AnnotationValidated:
        entities, relations = self._labels(request, decision)
        predicted = request.entities
        said = entry.words.get(who.annotator)
        earlier = said if said is not None and said.revision == request.revision else None
        adjudicates = earlier.outcome == "ADJUDICATED" if earlier else entry.queue is Queue.LEAD
        seconds = max(decision.seconds_spent, 0.0) + (earlier.seconds if earlier else 0.0)
        outcome = decision.outcome or _outcome(request, entities, relations)
        if adjudicates and outcome in LABELLING:
            outcome = "ADJUDICATED"
        superseded = sorted(
            word.annotation_id
            for who_said, word in entry.words.items()
            if word.revision == request.revision and who_said != who.annotator
        )
        return AnnotationValidated(
            annotation_id=annotation_id(request.source, request.note_id, request.revision, who.annotator, sequence),
            source=request.source,
            note_id=request.note_id,
            revision=request.revision,
            event_id=request.event_id,
            origin=request.origin,
            text=request.text,
            segment=request.segment,
            patient_ref=request.patient_ref,
            doctor_ref=request.doctor_ref,
            written_at=request.written_at,
            model=request.model,
            rules_version=request.rules_version,
            rules_serial=request.rules_serial,
            predicted_entities=predicted,
            predicted_relations=request.relations,
            entities=entities,
            relations=relations,
            sample=request.sample,
            inclusion_probability=request.inclusion_probability,
            predictions_shown=request.show_predictions,
            outcome=AnnotationOutcome(outcome),
            changes=changes_of(predicted, entities, request.relations, relations),
            annotator=who.annotator,
            sequence=sequence,
            seconds_spent=min(seconds, _MAX_SECONDS),
            annotated_at=self._clock(),
            supersedes=tuple(superseded) if outcome == "ADJUDICATED" else (),
            pseudonym_key_id=request.pseudonym_key_id,
            purpose=request.purpose,
            consent_artefact_id=request.consent_artefact_id,
            encryption_key_id=request.encryption_key_id,
            sealed=request.sealed,
        )

    @staticmethod
    def _labels(request: ReviewRequested, decision: Decision) -> tuple[tuple[Entity, ...], tuple[Relation, ...]]:
        if decision.outcome in {"SKIPPED", "UNREADABLE"}:
            return (), ()
        entities = entities_of(request.text, decision.marks, request.entities)
        return entities, relations_of(entities, decision.pairs, request, all_shown=decision.says_of_entities)

    def _finish(self, who: Reviewer, note: str, lease: str, event: AnnotationValidated) -> None:
        """Mark what was published. If Redis fails here, the follower marks it from the topic."""
        entries = self._store.entries([note])
        self._store.apply({}, [(note, who.annotator, word_of(event), event.annotated_at)], entries)
        self._store.release(note, _holder(who, lease))
        self._store.not_held(who.annotator, note)
        self._store.drop_draft(who.annotator, note, event.revision)

    def again(self, who: Reviewer, note: str, revision: int) -> tuple[str, int]:
        """Take back a note that the person has decided.

        Returns:
            The lease, and the sequence of the word that will replace the earlier one.

        Raises:
            Conflict: The person has not spoken on this revision, a lead has decided it, or another person has it now.
        """
        self._need_ready()
        entry = self._store.entries([note]).get(note)
        if entry is None or entry.task.revision != revision:
            raise Conflict("it is not in the queue any more")
        if not may_change(who.annotator, entry.task, entry.words):
            raise Conflict("a lead has decided it, or you have not")
        token = _token_of(entry.holder, who) or secrets.token_urlsafe(12)
        self._keep(who, note, token)
        return token, entry.words[who.annotator].sequence + 1

    def keep(self, who: Reviewer, held: Sequence[Held]) -> list[str]:
        """Renew leases of notes that a page holds; gives the keys of those that are not this person's any more."""
        entries = self._store.entries([one.note for one in held])
        return [one.note for one in held if not self._renew(who, one, entries.get(one.note))]

    def _renew(self, who: Reviewer, held: Held, entry: Entry | None) -> bool:
        if entry is None or entry.task.revision != held.revision:
            return False
        if not may_take(who.annotator, entry.task, entry.words) and entry.holder != _holder(who, held.lease):
            return False
        if not self._hold(who, held.note, held.lease):
            return False
        self._store.note_held(who.annotator, held.note, self._lease_s)
        return True

    def save_draft(self, who: Reviewer, note: str, revision: int, lease: str, draft: Mapping[str, Any]) -> None:
        """Keep an unfinished correction and the lease with it.

        Raises:
            Conflict: Another person holds the note, it is decided, or it is not this revision any more.
        """
        entry = self._store.entries([note]).get(note)
        if entry is None or entry.task.revision != revision:
            raise Conflict("it has a newer revision, or left the queue")
        if not may_take(who.annotator, entry.task, entry.words) and entry.holder != _holder(who, lease):
            raise Conflict("you have decided it")  # a draft that was on its way must not take the note again
        self._keep(who, note, lease)
        self._store.note_held(who.annotator, note, self._lease_s)
        self._store.save_draft(who.annotator, note, revision, draft)

    def look(self, who: Reviewer, note: str) -> Looked | None:
        """A note to look at, without taking it; None when it was never sent to review, or its text is gone."""
        self._need_ready()
        entry = self._store.entries([note]).get(note)
        request = self._requests.read(entry.task.partition, entry.task.offset) if entry else None
        if entry is None or request is None or note_key(request.source, request.note_id) != note:
            return None
        said = settled(who.annotator, entry.task, entry.words)
        if said is not None:
            return Looked(request, *said)
        predicted = tuple((entity.start, entity.end, str(entity.label)) for entity in request.entities)
        return Looked(request, predicted, AS_THE_MODEL)

    def figures(self, who: Reviewer) -> dict[str, Any]:
        """The queue, the person's pace, agreement, and what became of the corrections."""
        times = self._store.said_times(who.annotator, self._clock() - KEEP_S * 1000)
        drifted = self._store.drifted()
        doubles = list(self._store.doubles())
        recent = [at for at in times if at > self._clock() - _PACE_S * 1000]
        return {
            "waiting": self._store.waiting(),
            "drifted": drifted,
            "new_words": self._store.new_words(drifted),
            "mine": {"notes": len(times), "last_hour": len(recent)},
            "agreement": [
                {"label": found.label, "notes": found.notes, "f1": found.f1, "kappa": found.kappa}
                for found in agreement(doubles)
            ],
            "agreement_said": [
                {"kind": found.kind, "entities": found.entities, "same": found.same, "kappa": found.kappa}
                for found in said_agreement(doubles)
            ],
            "used_in": _used_in(self._store.taught(who.annotator), self._store.models()),
        }


def _by_need(segment: str, drifted: Mapping[str, str]) -> list[str]:
    """Segments to look at in turn: those that drift first, the worst before the others."""
    if segment != "all":
        return [segment]
    worst_first = sorted(drifted, key=lambda name: (drifted[name] != "CRITICAL", name))
    return [*(name for name in worst_first if name != "all"), "all"]


def _same_word(said: Word, decision: Decision) -> bool:
    """Whether a decision that came again says what was said: two tabs may say two things."""
    if decision.outcome is not None:
        return said.outcome == decision.outcome
    marks = {(mark.start, mark.end, mark.label) for mark in decision.marks}
    if said.outcome in {"SKIPPED", "UNREADABLE"} or set(said.spans) != marks:
        return False
    stated = {
        (mark.start, mark.end, mark.label): f"{mark.stated.status} {mark.stated.time} {mark.stated.experiencer}"
        for mark in decision.marks
        if mark.stated is not None and mark.stated.status != "UNKNOWN"
    }
    return not stated or said.stated_by_span == stated


def _holder(who: Reviewer, lease: str) -> str:
    """How Redis names who holds a note."""
    return f"{who.annotator}|{lease}"


def _token_of(holder: str | None, who: Reviewer) -> str | None:
    annotator, _, token = (holder or "").partition("|")
    return token if annotator == who.annotator else None


def _outcome(request: ReviewRequested, entities: Sequence[Entity], relations: Sequence[Relation]) -> str:
    def spans(of: Sequence[Entity]) -> set[tuple[int, int, str]]:
        return {(entity.start, entity.end, str(entity.label)) for entity in of}

    same = (
        spans(request.entities) == spans(entities)
        and ends_of(request.entities, request.relations) == ends_of(entities, relations)
        and not restated(request.entities, entities)
        and not represcribed(request.entities, entities)
    )
    return "ACCEPTED" if same else "CORRECTED"


def _used_in(taught: Mapping[str, int], models: Mapping[str, int]) -> list[dict[str, Any]]:
    """The newest models that learnt from the person's notes, as the training itself counted them."""
    trained = {name.partition(":")[2]: at for name, at in models.items() if name.startswith("MODEL_TRAINED:")}
    serving = {name.partition(":")[2] for name in models if name.startswith("PROMOTED:")}
    newest = sorted((version for version in taught if version in trained), key=lambda version: -trained[version])[:3]
    return [
        {"version": version, "notes": taught[version], "promoted": version in serving}
        for version in newest
        if taught[version]
    ]
