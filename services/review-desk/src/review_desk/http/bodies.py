"""What clients send and get."""

from typing import Annotated, Any, Literal

from contracts.identity import note_key
from contracts.records import RelationType
from pydantic import BaseModel, ConfigDict, Field

from review_desk.desk import Decision, Handed, Held
from review_desk.domain.spans import Mark
from review_desk.domain.tasks import Queue

_MAX_ENTITIES = 5_000
_MAX_HELD = 50
Label = Literal["DISEASE", "TREATMENT"]


class Strict(BaseModel):
    """No unknown fields, and no input repeated in errors."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Login(Strict):
    """A token."""

    token: Annotated[str, Field(max_length=500)]


class EntityBody(Strict):
    """A span, in code points of the text."""

    start: Annotated[int, Field(ge=0, strict=True)]
    end: Annotated[int, Field(ge=0, strict=True)]
    label: Label

    def mark(self) -> Mark:
        """For the domain."""
        return Mark(self.start, self.end, self.label)


class SpanBody(Strict):
    """One end of a pair."""

    start: Annotated[int, Field(ge=0, strict=True)]
    end: Annotated[int, Field(ge=0, strict=True)]


class PairBody(Strict):
    """A treatment and the disease that it is given for."""

    treatment: SpanBody
    disease: SpanBody

    def marks(self) -> tuple[Mark, Mark]:
        """For the domain."""
        return (
            Mark(self.treatment.start, self.treatment.end, "TREATMENT"),
            Mark(self.disease.start, self.disease.end, "DISEASE"),
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

    def decision(self, outcome: str) -> Decision:
        """For the desk."""
        return Decision(outcome, (), (), self.seconds_spent, self.sequence, self.lease)


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

    def said(self) -> Decision:
        """For the desk."""
        marks = tuple(entity.mark() for entity in self.entities)
        pairs = tuple(pair.marks() for pair in self.pairs)
        return Decision(None, marks, pairs, self.seconds_spent, self.sequence, self.lease)


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
            {"start": e.start, "end": e.end, "label": str(e.label), "confidence": e.confidence}
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
        {"treatment": places[one.treatment_id], "disease": places[one.disease_id]}
        for one in handed.request.relations
        if one.type is RelationType.TREATS and one.treatment_id in places and one.disease_id in places
    ]


def _opinions(handed: Handed) -> list[dict[str, Any]]:
    """What two validators said, without their names."""
    words = [handed.entry.words[who] for who in sorted(handed.entry.words)]
    return [
        {
            "outcome": word.outcome,
            "entities": [{"start": start, "end": end, "label": label} for start, end, label in word.spans],
        }
        for word in words
        if word.revision == handed.request.revision and word.outcome != "SKIPPED"
    ]
