"""What clients send and get, as the OpenAPI page shows it, and the step from JSON to a submitted note."""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from contracts.reasons import Reason
from contracts.records import NoteSubmitted, Origin
from contracts.rules import MAX_REVISION, MILLIS_2000, Violation
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import ErrorDetails
from runtime.web.json_body import elements_of, parse_json

MAX_FIELD_NAME_CHARS = 64
MAX_FAULTS = 20
"""Faults that one answer names; the rest is counted."""
MAX_KEYS_OF_A_NOTE = 32
"""On average over a body; a note has fewer than half of them."""
_BAD_IN_NAME = r"\u0000-\u001f\u007f-\u009f"
_BAD_IN_TEXT = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"


def _shape(bad: str, most_chars: int, *, may_be_empty: bool = False) -> dict[str, JsonValue]:
    """What the page says of a string; `contracts.rules` judges it, with a reason for each fault."""
    pattern = f"[^{bad}]*[^{bad}\\s][^{bad}]*"
    if may_be_empty:
        return {"maxLength": most_chars, "pattern": f"^({pattern})?$"}
    return {"minLength": 1, "maxLength": most_chars, "pattern": f"^{pattern}$"}


_NAME = _shape(_BAD_IN_NAME, 256)
_OPTIONAL = _shape(_BAD_IN_NAME, 256, may_be_empty=True)
_TEXT = _shape(_BAD_IN_TEXT, 1_048_576)
_REVISION: dict[str, JsonValue] = {"minimum": 1, "maximum": MAX_REVISION}
_TIME: dict[str, JsonValue] = {"minimum": MILLIS_2000}


def _whole(value: object) -> object:
    """To JSON 1.0 is an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Whole = Annotated[int, BeforeValidator(_whole)]

NOTE_EXAMPLE: dict[str, Any] = {
    "note_id": "N-2026-000001",
    "revision": 1,
    "prescription_id": "RX-88321",
    "patient_ref": "PAT-5521",
    "doctor_ref": "DOC-117",
    "city": "Pune",
    "specialty": "general medicine",
    "written_at": 1_790_000_000_000,
    "text": "k/c/o type 2 diabetes mellitus, c/o fever x 3 days. Tab metformin 500 mg BD, Tab paracetamol 650 mg SOS.",
    "language": "en",
}


class NoteBody(BaseModel):
    """One note. The fields are those of the event `NoteSubmitted`; any other field is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, json_schema_extra={"examples": [NOTE_EXAMPLE]})

    source: str | None = Field(
        None,
        description="the system that sends: your token says it, so leave it out; any other than the token's is refused",
    )
    note_id: str = Field(description="identity of the note within your source, chosen by you", json_schema_extra=_NAME)
    revision: _Whole = Field(
        description="1 for the first wording, higher for each later one; the highest wins", json_schema_extra=_REVISION
    )
    prescription_id: str = Field(description="the prescription; stored as a pseudonym", json_schema_extra=_NAME)
    patient_ref: str = Field(description="the patient; stored as a pseudonym", json_schema_extra=_NAME)
    doctor_ref: str = Field(description="the doctor; stored as a pseudonym", json_schema_extra=_NAME)
    city: str = Field(description="city of the practice", json_schema_extra=_NAME)
    specialty: str = Field(description="specialty of the doctor", json_schema_extra=_NAME)
    written_at: _Whole = Field(
        description="when it was written, UTC milliseconds since 1970, at most a day ahead", json_schema_extra=_TIME
    )
    text: str = Field(description="the note; no control characters but tab and line ends", json_schema_extra=_TEXT)
    language: str = Field("en", description="BCP 47 tag of the main language", json_schema_extra=_NAME)
    origin: Literal["LIVE", "BACKFILL", "REPLAY", "REEXTRACT"] = Field(
        "LIVE", description="LIVE, or BACKFILL for history, which then moves no live figures"
    )
    purpose: str | None = Field(
        None,
        description="purpose of processing that the patient agreed to; empty is as if left out",
        json_schema_extra=_OPTIONAL,
    )
    consent_artefact_id: str | None = Field(
        None, description="consent artefact that covers the note; empty is as if left out", json_schema_extra=_OPTIONAL
    )


class FieldError(BaseModel):
    """One thing wrong with a field."""

    field: str = Field(description="name of the field, empty for the note as a whole")
    reason: str = Field(description="reason code, the same as in dead letters")
    message: str = Field(description="the reason in words")


class NoteResult(BaseModel):
    """What became of one note."""

    index: int = Field(description="position in the array, 0 for a single note")
    source: str = Field(description="your source, which with note_id is the note's identity")
    note_id: str | None = Field(description="the note, when its identity could be read")
    status: Literal["accepted", "duplicate", "refused", "conflict"] = Field(
        description="accepted: stored in Kafka. duplicate: it was before, this is the first result. "
        "refused: not legal, see errors. conflict: other content was accepted under this identity"
    )
    accepted_at: int | None = Field(default=None, description="UTC milliseconds, when accepted")
    errors: list[FieldError] = Field(
        default_factory=list, description=f"why it was refused, per field; an answer names {MAX_FAULTS} in all"
    )
    more_errors: int = Field(
        default=0, exclude_if=lambda more: not more, description="how many more there are that the answer does not name"
    )


class Results(BaseModel):
    """What became of each note of a request, in order."""

    results: list[NoteResult]


class Problem(BaseModel):
    """Why the request as a whole was not taken; no note of it was."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Item:
    """One element of the body: a submitted note, or what is wrong with its shape.

    Attributes:
        element: The element as it was parsed, for the dead letter of a note that is refused.
    """

    note: NoteSubmitted | None
    note_id: str | None
    faults: tuple[Violation, ...] = ()
    element: object = None

    @property
    def origin(self) -> Origin | None:
        """What the note says of its origin, be it refused or not; None when it says nothing legal."""
        if self.note is not None:
            return self.note.origin
        said = self.element.get("origin", Origin.LIVE.value) if isinstance(self.element, dict) else None
        return Origin(said) if isinstance(said, str) and said in Origin.__members__ else None

    def element_bytes(self) -> bytes:
        """The element as JSON in ASCII: what JSON can say, lone surrogates too, comes out as it came in."""
        return json.dumps(self.element).encode("ascii")


def parse_body(body: bytes, max_notes: int, source: str) -> list[Item]:
    """Read one note or an array of notes of one source.

    Raises:
        BadJson: The body as a whole is unusable. The message never repeats any of it.
    """
    return [
        parse_note(element, source)
        for element in elements_of(parse_json(body, MAX_KEYS_OF_A_NOTE * max_notes), max_notes)
    ]


def parse_note(element: object, source: str) -> Item:
    """Judge the shape of one element: types, missing and unknown fields. All faults are found, not only the first.

    Args:
        element: A note as parsed.
        source: What the client's token stands for; the note may name no other.
    """
    known = element
    unknown: tuple[Violation, ...] = ()
    if isinstance(element, dict) and (strange := element.keys() - NoteBody.model_fields.keys()):
        # By hand and in their order: the model would keep a copy of each value beside a page of words.
        known = {name: value for name, value in element.items() if name not in strange}
        unknown = tuple(_unknown(name) for name in element if name in strange)
    try:
        body = NoteBody.model_validate(known)
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False, include_context=False)
        faults = tuple(_violation(detail) for detail in details)
        return Item(None, _readable_id(element), (*faults, *unknown), element)
    if unknown:
        return Item(None, _readable_id(element), unknown, element)
    if body.source not in {None, source}:
        return Item(None, _readable_id(element), (Violation("source", Reason.OTHER_SOURCE),), element)
    values = body.model_dump()
    empty_is_none = {"purpose": body.purpose or None, "consent_artefact_id": body.consent_artefact_id or None}
    note = NoteSubmitted(**{**values, **empty_is_none, "source": source, "origin": Origin(body.origin)})
    return Item(note, _readable_id(element), element=element)


def _unknown(name: str) -> Violation:
    return Violation(_printable(name)[:MAX_FIELD_NAME_CHARS], Reason.UNKNOWN_FIELD)


def _violation(detail: ErrorDetails) -> Violation:
    kind = detail["type"]
    field = str(detail["loc"][0]) if detail["loc"] else ""
    if kind == "missing":
        reason = Reason.MISSING_FIELD
    elif kind == "string_unicode":
        reason = Reason.ILLEGAL_CHARACTERS
    else:
        reason = Reason.WRONG_TYPE
    return Violation(_printable(field)[:MAX_FIELD_NAME_CHARS], reason)


def _readable_id(element: object) -> str | None:
    note_id = element.get("note_id") if isinstance(element, dict) else None
    return _printable(note_id)[:256] if isinstance(note_id, str) else None


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
