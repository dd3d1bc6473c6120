"""What clients send and get."""

from typing import Annotated, Any, Literal

from annotations.spans import UNKNOWN, Span, Stated, stated_of
from annotations.verdicts import SKIPPED
from contracts.identity import note_key
from contracts.records import Entity, Prescription
from pydantic import BaseModel, ConfigDict, Field

from review_desk.desk import Decision, Handed, Held
from review_desk.domain.spans import DrawnSpan, Pair
from review_desk.domain.tasks import DeskVerdict, Queue

_MAX_ENTITIES = 5_000
_MAX_HELD = 50
MAX_COMMENT_CHARS = 1_000
Label = Literal["DISEASE", "TREATMENT"]


class Strict(BaseModel):
    """No unknown fields, and no input repeated in errors."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Login(Strict):
    """A token."""

    token: Annotated[str, Field(max_length=500)]


class AssertionBody(Strict):
    """What the note says of an entity."""

    status: Literal["UNKNOWN", "PRESENT", "NEGATED", "POSSIBLE", "HYPOTHETICAL", "ALLERGY", "REFUSED"]
    time: Literal["UNKNOWN", "CURRENT", "HISTORICAL", "PLANNED"]
    experiencer: Literal["UNKNOWN", "PATIENT", "FAMILY", "OTHER"]

    def stated(self) -> Stated:
        """For the domain."""
        return Stated(self.status, self.time, self.experiencer)


Words = Annotated[str, Field(min_length=1, max_length=60)]
Count = Annotated[int, Field(ge=1, le=999, strict=True)]


class PrescriptionBody(Strict):
    """How a treatment is taken; null is not written, or not clear."""

    form: Words | None = None
    strength: Words | None = None
    dose: Words | None = None
    frequency: Count | None = None
    period: Count | None = None
    period_unit: Literal["h", "d", "wk", "mo"] | None = None
    when: Literal["AC", "PC", "HS"] | None = None
    as_needed: Literal[True] | None = None
    duration: Count | None = None
    duration_unit: Literal["d", "wk", "mo"] | None = None
    route: Words | None = None

    def record(self) -> Prescription | None:
        """The record; None where nothing is written."""
        given = self.model_dump()
        return Prescription(**given) if any(value is not None for value in given.values()) else None


class EntityBody(Strict):
    """A span, in code points of the text, and what is said of it. Without an assertion that stays as it was."""

    start: Annotated[int, Field(ge=0, strict=True)]
    end: Annotated[int, Field(ge=0, strict=True)]
    label: Label
    assertion: AssertionBody | None = None
    prescription: PrescriptionBody | None = None

    def mark(self) -> DrawnSpan:
        """For the domain."""
        stated = None if self.assertion is None else self.assertion.stated()
        written = None if self.prescription is None else self.prescription.record()
        return DrawnSpan(self.start, self.end, self.label, stated, written)


class SpanBody(Strict):
    """One end of a pair."""

    start: Annotated[int, Field(ge=0, strict=True)]
    end: Annotated[int, Field(ge=0, strict=True)]


class PairBody(Strict):
    """A treatment and a disease that belong together: by type TREATS it is given for it now."""

    treatment: SpanBody
    disease: SpanBody
    type: Literal[
        "TREATS", "TREATED", "PLANNED", "PREVENTS", "CAUSES", "CONTRAINDICATED", "REFUSED", "TREATS_FAILED"
    ] = "TREATS"

    def pair(self) -> Pair:
        """For the domain."""
        return Pair(
            DrawnSpan(self.treatment.start, self.treatment.end, "TREATMENT"),
            DrawnSpan(self.disease.start, self.disease.end, "DISEASE"),
            self.type,
        )


class DraftBody(Strict):
    """An unfinished correction."""

    lease: Annotated[str, Field(max_length=100)]
    entities: Annotated[list[EntityBody], Field(max_length=_MAX_ENTITIES)] = []
    pairs: Annotated[list[PairBody], Field(max_length=_MAX_ENTITIES)] = []


class LeaseBody(Strict):
    """A skip or a flag."""

    lease: Annotated[str, Field(max_length=100)]
    seconds_spent: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    sequence: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    comment: Annotated[str, Field(max_length=MAX_COMMENT_CHARS)] = ""
    guideline_version: Annotated[str | None, Field(pattern=r"^[0-9]{1,6}\.[0-9]{1,6}$")] = None

    def decision(self, outcome: str) -> Decision:
        """For the desk."""
        return self._decision(outcome, (), ())

    def _decision(self, outcome: str | None, marks: tuple[DrawnSpan, ...], pairs: tuple[Pair, ...]) -> Decision:
        return Decision(
            outcome,
            marks,
            pairs,
            self.seconds_spent,
            self.sequence,
            self.lease,
            self.comment.strip(),
            self.guideline_version,
        )


class HeldBody(Strict):
    """A note that a page holds."""

    source: Annotated[str, Field(max_length=40)]
    note_id: Annotated[str, Field(max_length=500)]
    revision: int
    lease: Annotated[str, Field(max_length=100)]


class KeepBody(Strict):
    """The notes that a page holds: the one on the paper and those fetched ahead."""

    notes: Annotated[list[HeldBody], Field(max_length=_MAX_HELD)]

    def held(self) -> list[Held]:
        """For the desk."""
        return [Held(note_key(note.source, note.note_id), note.revision, note.lease) for note in self.notes]


class DecisionBody(LeaseBody):
    """What is right. The outcome, ACCEPTED or CORRECTED, follows from it unless it is given."""

    entities: Annotated[list[EntityBody], Field(max_length=_MAX_ENTITIES)]
    pairs: Annotated[list[PairBody], Field(max_length=_MAX_ENTITIES)] = []

    def corrected(self) -> Decision:
        """For the desk."""
        marks = tuple(entity.mark() for entity in self.entities)
        pairs = tuple(pair.pair() for pair in self.pairs)
        return self._decision(None, marks, pairs)


def task_of(handed: Handed, lease_s: int) -> dict[str, Any]:
    """A note as the page gets it. A blind note comes without anything that the model said."""
    request = handed.request
    shown = request.show_predictions and handed.queue is not Queue.LEAD
    return {
        "source": request.source,
        "note_id": request.note_id,
        "revision": request.revision,
        "lease": handed.lease,
        "lease_s": lease_s,
        "sequence": handed.sequence,
        "text": request.text,
        "segment": {"city": request.segment.city, "specialty": request.segment.specialty},
        "model_version": request.model.version,
        "note_confidence": request.note_confidence if shown else None,
        "sample": str(request.sample),
        "show_predictions": request.show_predictions,
        "why": handed.why,
        "entities": [
            {
                "start": e.start,
                "end": e.end,
                "label": str(e.label),
                "confidence": e.confidence,
                "assertion": _assertion(stated_of(e.assertion)),
                "prescription": _prescription(e),
            }
            for e in (request.entities if shown else ())
            if str(e.label) in {"DISEASE", "TREATMENT"}
        ],
        "pairs": _pairs(handed) if shown else [],
        "opinions": _opinions(handed) if handed.queue is Queue.LEAD else [],
        "draft": handed.draft,
    }


def _pairs(handed: Handed) -> list[dict[str, Any]]:
    places = {e.entity_id: {"start": e.start, "end": e.end} for e in handed.request.entities}
    return [
        {"treatment": places[one.treatment_id], "disease": places[one.disease_id], "type": str(one.type)}
        for one in handed.request.relations
        if str(one.type) != UNKNOWN and one.treatment_id in places and one.disease_id in places
    ]


def _assertion(stated: Stated | None) -> dict[str, str] | None:
    """None where nothing was judged, or in words that this program does not know yet."""
    return None if stated is None or UNKNOWN in stated else stated._asdict()


def _prescription(entity: Entity) -> dict[str, Any] | None:
    return None if entity.prescription is None else dict(entity.prescription.to_dict())


def _stated(verdict: DeskVerdict, span: Span) -> Stated | None:
    stated = verdict.stated_by_span.get(span)
    return None if stated is None else Stated(*stated.split())


def _opinions(handed: Handed) -> list[dict[str, Any]]:
    """The verdicts of two validators, without their names."""
    return [
        {
            "outcome": verdict.outcome,
            "entities": [{**span._asdict(), "assertion": _assertion(_stated(verdict, span))} for span in verdict.spans],
        }
        for _, verdict in sorted(handed.entry.verdicts.items())
        if verdict.revision == handed.request.revision and verdict.outcome != SKIPPED
    ]
