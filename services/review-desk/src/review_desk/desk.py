"""What the desk does for a person: hands out the next note, takes decisions, keeps drafts, tells the figures."""

import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from annotations.spans import Span, relation_ends, spans_of
from annotations.verdicts import ACCEPTED, ADJUDICATED, CORRECTED, LABELLING, SKIPPED, UNREADABLE
from clinical_ner.guideline import SHIPPED_VERSION
from contracts.identity import annotation_id, note_key
from contracts.records import AnnotationOutcome, AnnotationValidated, Entity, Relation, ReviewRequested
from contracts.segments import ALL_NOTES
from runtime.errors import Recoverable
from runtime.service.clock import now_ms
from runtime.service.metrics import Metrics

from review_desk.adapters.drafts import Drafts
from review_desk.adapters.store import KEEP_S, Entry, Store
from review_desk.adapters.texts import Requests
from review_desk.checks import HiddenChecks, NoChecks
from review_desk.domain.agreement import agreement, stated_agreement
from review_desk.domain.refusals import Conflict
from review_desk.domain.selection import is_for
from review_desk.domain.spans import (
    DrawnSpan,
    Pair,
    changes_of,
    entities_of,
    relations_of,
    represcribed,
    restated,
)
from review_desk.domain.tasks import DeskVerdict, Queue, may_change, may_take, shown_spans, why
from review_desk.metrics import DECISIONS, TEXTS_GONE
from review_desk.projection import verdict_of

_CHUNK = 20
_MOST_AT_ONCE = 1_000
_MAX_SECONDS = 24 * 3600.0
_PACE_S = 3600
AS_THE_MODEL = "as the model left it"
AS_HELD = "as the person left it whose labels wait"


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
    """What a person decided on a note."""

    outcome: str | None
    marks: tuple[DrawnSpan, ...]
    pairs: tuple[Pair, ...]
    seconds_spent: float
    sequence: int | None
    lease: str
    comment: str = ""
    guideline_version: str | None = None

    @property
    def states_assertions(self) -> bool:
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
        spans: Marked places; none while the note waits for this person's own verdict.
        shown_by: Whose they are, in plain words.
    """

    request: ReviewRequested
    spans: tuple[Span, ...]
    shown_by: str


class Desk:
    """The desk, whoever asks.

    Args:
        lease_s: Seconds for which a note belongs to the one who opened it.
        audit_every: Every n-th note is one of the audit.
        guideline: Version of the guideline that counts now.
        reserved: For whom segments are kept, by segment.
        checks: Hidden checks; none when left out.
        clock: UTC milliseconds.
    """

    def __init__(
        self,
        store: Store,
        requests: Requests,
        publish: Publisher,
        metrics: Metrics,
        drafts: Drafts,
        *,
        lease_s: int,
        audit_every: int,
        guideline: Callable[[], str] = lambda: SHIPPED_VERSION,
        reserved: Callable[[], Mapping[str, Collection[str]]] = dict,
        checks: HiddenChecks | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._checks = checks or NoChecks()
        self._store = store
        self._requests = requests
        self._publish = publish
        self._metrics = metrics
        self._drafts = drafts
        self._lease_s = lease_s
        self._audit_every = audit_every
        self._guideline = guideline
        self._reserved = reserved
        self._clock = clock

    def next(
        self,
        who: Reviewer,
        segment: str = "all",
        holding: Sequence[str] = (),
        wanted: Callable[[Entry], bool] = lambda _: True,
    ) -> Handed | None:
        """Hand out a note: one that the person had opened before, else the first that nobody holds.

        Args:
            who: Whoever asks.
            segment: Where to look.
            holding: What the person's page has already.
            wanted: What the person asks for; nothing else is handed out.

        Raises:
            Recoverable: The queue is being rebuilt, or a server is away.
        """
        self._need_ready()
        drifted = self._store.drifted()
        mine = [note for note in self._store.held(who.annotator) if note not in holding]
        for entry in self._store.entries(mine).values():
            handed = self._try(entry, who, drifted) if wanted(entry) else None
            if handed is not None:
                return handed
        if (checked := self._hand_out_check(who, segment, holding, drifted)) is not None:
            return checked
        gone: list[tuple[Queue, str, str]] = []
        reserved = self._reserved()
        for place in _places(who, segment, reserved):
            handed = self._first_free(
                who,
                place,
                holding,
                drifted,
                gone,
                wanted=lambda entry: _is_open_to(who, entry, reserved) and wanted(entry),
            )
            if handed is not None:
                break
        for queue, place, note in gone:  # not before: a queue must not shift under the one who walks along it
            self._store.forget(queue, place, note)
        return handed

    def _hand_out_check(
        self, who: Reviewer, segment: str, holding: Sequence[str], drifted: Mapping[str, str]
    ) -> Handed | None:
        for entry in self._checks.drawn(who.annotator, segment, holding):
            self._checks.begin(who.annotator, entry.note)
            handed = self._try(entry, who, drifted)
            if handed is not None:
                return handed
            self._checks.end(who.annotator, entry.note)
        return None

    def _first_free(
        self,
        who: Reviewer,
        segment: str,
        holding: Sequence[str],
        drifted: Mapping[str, str],
        gone: list[tuple[Queue, str, str]],
        *,
        wanted: Callable[[Entry], bool],
    ) -> Handed | None:
        for queue, place, notes in self._candidates(who, segment, drifted):
            others = [note for note in notes if note not in holding]
            found = self._store.entries(others)
            gone += [(queue, place, note) for note in others if note not in found]
            for entry in found.values():
                handed = None if entry.holder or not wanted(entry) else self._try(entry, who, drifted)
                if handed is not None:
                    return handed
        return None

    def take(self, who: Reviewer, note: str) -> Handed:
        """Hand out one note that the person chose.

        Raises:
            Conflict: It does not wait, or not for this person.
            Recoverable: The queue is being rebuilt, or a server is away.
        """
        self._need_ready()
        entry = self._store.entries([note]).get(note)
        mine = entry is not None and (entry.holder is None or _token_of(entry.holder, who) is not None)
        if entry is None or not mine or not _is_open_to(who, entry, self._reserved()):
            raise Conflict("somebody else has this note now, or it is finished")
        handed = self._try(entry, who, self._store.drifted())
        if handed is None:
            raise Conflict("this note does not wait for you any more")
        return handed

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
            for notes in self._unanswered(who, queue, place):
                yield queue, place, notes

    def _unanswered(self, who: Reviewer, queue: Queue, place: str) -> Iterator[list[str]]:
        """A queue from its front to its end without what the person has spoken on: a backlog of that hides nothing."""
        start, count = 0, _CHUNK
        while notes := self._store.front(queue, place, start, count):
            fresh = self._store.unanswered(who.annotator, notes)
            for first in range(0, len(fresh), _CHUNK):
                yield fresh[first : first + _CHUNK]
            start, count = start + count, min(4 * count, _MOST_AT_ONCE)

    def _try(self, entry: Entry, who: Reviewer, drifted: Mapping[str, str]) -> Handed | None:
        queue = entry.queue or self._checks.queue(who.annotator, entry)
        if queue is None or not may_take(who.annotator, entry.task, entry.verdicts):
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
        draft = self._drafts.read(who.annotator, entry.note, request)
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
        """Publish a person's verdict, then mark the note. Gives its annotation_id; the same verdict twice is one.

        Raises:
            Conflict: A newer revision came, another person holds the note, or it is finished.
            SpansRefused: Entities do not fit the text.
            Unsendable: The verdict fits into no record.
            Recoverable: Nothing was published for sure; send the same again.
        """
        self._need_ready()
        entry = self._store.entries([note]).get(note)
        if entry is None:
            raise Conflict("this note is not in the queue")
        sequence = decision.sequence or 1
        mine = entry.verdicts.get(who.annotator)
        if mine is not None and mine.revision == revision and sequence <= mine.sequence:
            if not _same(mine, decision):
                raise Conflict("you decided this note already, perhaps in another tab")
            return mine.annotation_id  # sent again: the answer got lost, the verdict did not
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
        if not may_take(who.annotator, entry.task, entry.verdicts):
            if not may_change(who.annotator, entry.task, entry.verdicts):
                raise Conflict("this note is closed: a lead has decided it")
        elif entry.queue is None and not self._checks.waits(who.annotator, entry.note):
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
        before = entry.verdicts.get(who.annotator)
        earlier = before if before is not None and before.revision == request.revision else None
        adjudicates = earlier.adjudicates if earlier else entry.queue is Queue.LEAD
        waits = entry.queue is None and self._checks.waits(who.annotator, entry.note)
        seconds = max(decision.seconds_spent, 0.0) + (earlier.seconds if earlier else 0.0)
        outcome = decision.outcome or _outcome(request, entities, relations)
        if adjudicates and outcome in LABELLING:
            outcome = ADJUDICATED
        superseded = sorted(
            verdict.annotation_id
            for annotator, verdict in entry.verdicts.items()
            if verdict.revision == request.revision and annotator != who.annotator
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
            supersedes=tuple(superseded) if outcome == ADJUDICATED else (),
            guideline_version=decision.guideline_version or self._guideline(),
            comment=decision.comment or None,
            pseudonym_key_id=request.pseudonym_key_id,
            purpose=request.purpose,
            consent_artefact_id=request.consent_artefact_id,
            encryption_key_id=request.encryption_key_id,
            sealed=request.sealed,
            note_confidence=request.note_confidence,
            hidden_check=earlier.is_check if earlier else waits,
        )

    @staticmethod
    def _labels(request: ReviewRequested, decision: Decision) -> tuple[tuple[Entity, ...], tuple[Relation, ...]]:
        if decision.outcome in {SKIPPED, UNREADABLE}:
            return (), ()
        entities = entities_of(request.text, decision.marks, request.entities)
        return entities, relations_of(entities, decision.pairs, request, all_shown=decision.states_assertions)

    def _finish(self, who: Reviewer, note: str, lease: str, event: AnnotationValidated) -> None:
        """Mark what was published. If Redis fails here, the follower marks it from the topic."""
        entries = self._store.entries([note])
        self._store.apply({}, [(note, verdict_of(event))], entries)
        self._store.release(note, _holder(who, lease))
        self._store.not_held(who.annotator, note)
        self._drafts.drop(who.annotator, note, event.revision)
        self._checks.end(who.annotator, note)

    def again(self, who: Reviewer, note: str, revision: int) -> tuple[str, int]:
        """Take back a note that the person has decided.

        Returns:
            The lease, and the sequence of the verdict that will replace the earlier one.

        Raises:
            Conflict: The person has not answered on this revision, a lead has decided it, or another person has it now.
        """
        self._need_ready()
        entry = self._store.entries([note]).get(note)
        if entry is None or entry.task.revision != revision:
            raise Conflict("it is not in the queue any more")
        if not may_change(who.annotator, entry.task, entry.verdicts):
            raise Conflict("a lead has decided it, or you have not")
        token = _token_of(entry.holder, who) or secrets.token_urlsafe(12)
        self._keep(who, note, token)
        return token, entry.verdicts[who.annotator].sequence + 1

    def keep(self, who: Reviewer, held: Sequence[Held]) -> list[str]:
        """Renew leases of notes that a page holds; gives the keys of those that are not this person's any more."""
        entries = self._store.entries([one.note for one in held])
        return [one.note for one in held if not self._renew(who, one, entries.get(one.note))]

    def give_back(self, who: Reviewer, held: Sequence[Held]) -> None:
        """Leave notes that a page holds and nobody has worked on to others."""
        for one in held:
            self._store.release(one.note, _holder(who, one.lease))
            self._store.not_held(who.annotator, one.note)

    def _renew(self, who: Reviewer, held: Held, entry: Entry | None) -> bool:
        if entry is None or entry.task.revision != held.revision:
            return False
        if not may_take(who.annotator, entry.task, entry.verdicts) and entry.holder != _holder(who, held.lease):
            return False
        if not self._hold(who, held.note, held.lease):
            return False
        self._store.note_held(who.annotator, held.note, self._lease_s)
        return True

    def save_draft(self, who: Reviewer, note: str, revision: int, lease: str, draft: Mapping[str, Any]) -> None:
        """Keep an unfinished correction and the lease with it.

        Raises:
            Conflict: Another person holds the note, it is decided, it is not this revision any more, or its text is gone and would be needed to seal.
        """
        entry = self._store.entries([note]).get(note)
        if entry is None or entry.task.revision != revision:
            raise Conflict("it has a newer revision, or left the queue")
        if not may_take(who.annotator, entry.task, entry.verdicts) and entry.holder != _holder(who, lease):
            raise Conflict("you have decided it")  # a draft that was on its way must not take the note again
        self._keep(who, note, lease)
        self._store.note_held(who.annotator, note, self._lease_s)
        self._drafts.save(who.annotator, note, entry.task, draft)

    def look(self, who: Reviewer, note: str, of: str = "") -> Looked | None:
        """A note to look at, without taking it; None when it was never sent to review, or its text is gone.

        Args:
            who: Who looks.
            note: Its key.
            of: Annotator whose labels wait for a lead: to a lead the note is shown as that person left it.
        """
        self._need_ready()
        entry = self._store.entries([note]).get(note)
        request = self._requests.read(entry.task.partition, entry.task.offset) if entry else None
        if entry is None or request is None or note_key(request.source, request.note_id) != note:
            return None
        verdict = entry.verdicts.get(of) if who.leads else None
        if verdict is not None and entry.trust.holds(of, verdict.at):
            return Looked(request, verdict.spans, AS_HELD)
        is_checked = self._checks.waits(who.annotator, note)
        shown = shown_spans(who.annotator, entry.task, entry.verdicts, entry.trust, is_checked=is_checked)
        return Looked(request, *(shown or (spans_of(request.entities), AS_THE_MODEL)))

    def figures(self, who: Reviewer) -> dict[str, Any]:
        """The queue, the person's pace, agreement, and what became of the corrections."""
        times = self._store.decision_times(who.annotator, self._clock() - KEEP_S * 1000)
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
            "agreement_stated": [
                {"kind": found.kind, "entities": found.entities, "same": found.same, "kappa": found.kappa}
                for found in stated_agreement(doubles)
            ],
            "used_in": _used_in(self._store.taught(who.annotator), self._store.models()),
        }


def _places(who: Reviewer, segment: str, reserved: Mapping[str, Collection[str]]) -> list[str]:
    """Where to look: what is reserved for the person first."""
    mine = [name for name, annotators in sorted(reserved.items()) if who.annotator in annotators and name != segment]
    return [*mine, segment] if segment == ALL_NOTES else [segment]


def _is_open_to(who: Reviewer, entry: Entry, reserved: Mapping[str, Collection[str]]) -> bool:
    """Whether the note is not kept for others. A dispute waits for any lead."""
    return entry.queue is Queue.LEAD or is_for(who.annotator, entry.task, reserved)


def _by_need(segment: str, drifted: Mapping[str, str]) -> list[str]:
    """Segments to look at in turn: those that drift first, the worst before the others."""
    if segment != "all":
        return [segment]
    worst_first = sorted(drifted, key=lambda name: (drifted[name] != "CRITICAL", name))
    return [*(name for name in worst_first if name != "all"), "all"]


def _same(given: DeskVerdict, decision: Decision) -> bool:
    """Whether a decision that came again is the verdict that was given: two tabs may say two things."""
    if decision.outcome is not None:
        return given.outcome == decision.outcome
    if not given.labels or set(given.spans) != {mark.span for mark in decision.marks}:
        return False
    stated = {
        mark.span: " ".join(mark.stated) for mark in decision.marks if mark.stated is not None and mark.stated.is_judged
    }
    return not stated or given.stated_by_span == stated


def _holder(who: Reviewer, lease: str) -> str:
    """How Redis names who holds a note."""
    return f"{who.annotator}|{lease}"


def _token_of(holder: str | None, who: Reviewer) -> str | None:
    annotator, _, token = (holder or "").partition("|")
    return token if annotator == who.annotator else None


def _outcome(request: ReviewRequested, entities: Sequence[Entity], relations: Sequence[Relation]) -> str:
    same = (
        set(spans_of(request.entities)) == set(spans_of(entities))
        and relation_ends(request.entities, request.relations) == relation_ends(entities, relations)
        and not restated(request.entities, entities)
        and not represcribed(request.entities, entities)
    )
    return ACCEPTED if same else CORRECTED


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
