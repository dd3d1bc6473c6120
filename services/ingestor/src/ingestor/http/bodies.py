"""What clients send and get, as the OpenAPI page shows it, and the step from JSON to a submitted note."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from contracts.reasons import Reason
from contracts.records import NoteSubmitted, Origin
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from ingestor.domain.rules import Violation

MAX_FIELD_NAME_CHARS = 64

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
    note_id: str = Field(description="identity of the note within your source, chosen by you")
    revision: int = Field(description="1 for the first wording, higher for each later one; the highest wins")
    prescription_id: str = Field(description="the prescription; stored as a pseudonym")
    patient_ref: str = Field(description="the patient; stored as a pseudonym")
    doctor_ref: str = Field(description="the doctor; stored as a pseudonym")
    city: str = Field(description="city of the practice")
    specialty: str = Field(description="specialty of the doctor")
    written_at: int = Field(description="when it was written, UTC milliseconds since 1970")
    text: str = Field(description="the note; no control characters but tab and line ends")
    language: str = Field("en", description="BCP 47 tag of the main language")
    origin: Literal["LIVE", "BACKFILL", "REPLAY", "REEXTRACT"] = Field(
        "LIVE", description="LIVE, or BACKFILL for history, which then moves no live figures"
    )
    purpose: str | None = Field(None, description="purpose of processing that the patient agreed to")
    consent_artefact_id: str | None = Field(None, description="consent artefact that covers the note")


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
    errors: list[FieldError] = Field(default_factory=list, description="why it was refused, per field")


class Results(BaseModel):
    """What became of each note of a request, in order."""

    results: list[NoteResult]


class Problem(BaseModel):
    """Why the request as a whole was not taken; no note of it was."""

    reason: str
    message: str


class BadJson(ValueError):
    """The body is not usable JSON.

    Attributes:
        reason: The code to answer.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


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
    try:
        content = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise BadJson(Reason.INVALID_UTF8, "the body is not valid UTF-8") from None
    except RecursionError:
        raise BadJson(Reason.UNDECODABLE, "the JSON is nested too deep") from None
    except ValueError:
        raise BadJson(Reason.UNDECODABLE, "the body is not JSON") from None
    elements = content if isinstance(content, list) else [content]
    if not elements:
        raise BadJson(Reason.EMPTY_VALUE, "the array holds no note")
    if len(elements) > max_notes:
        raise BadJson(Reason.TOO_LARGE, f"an array holds at most {max_notes} notes")
    return [parse_note(element, source) for element in elements]


def parse_note(element: object, source: str) -> Item:
    """Judge the shape of one element: types, missing and unknown fields. All faults are found, not only the first.

    Args:
        element: A note as parsed.
        source: What the client's token stands for; the note may name no other.
    """
    try:
        body = NoteBody.model_validate(element)
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False, include_context=False)
        return Item(None, _readable_id(element), tuple(_violation(detail) for detail in details), element)
    if body.source not in {None, source}:
        return Item(None, _readable_id(element), (Violation("source", Reason.OTHER_SOURCE),), element)
    values = body.model_dump()
    note = NoteSubmitted(**{**values, "source": source, "origin": Origin(body.origin)})
    return Item(note, _readable_id(element), element=element)


def _refuse_constant(_name: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


def _violation(detail: ErrorDetails) -> Violation:
    kind = detail["type"]
    field = str(detail["loc"][0]) if detail["loc"] else ""
    if kind == "missing":
        reason = Reason.MISSING_FIELD
    elif kind == "extra_forbidden":
        reason = Reason.UNKNOWN_FIELD
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
