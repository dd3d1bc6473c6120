"""What a document is made of: an extracted note, from a record of the contract, a row of Parquet, or JSON.

All three give the same `Note`, and so the same bytes. Text of the note beyond the mentions is in none of them.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from rxtract_fhir.errors import FhirRefused
from rxtract_fhir.identity import stable_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from contracts.records import EntitiesExtracted

UNKNOWN = "UNKNOWN"
LONGEST_WORDS = 1_000
"""Characters of a mention that are written; what follows is cut off, which three dots show."""
FIRST_MS, LAST_MS = -62_135_596_800_000, 253_402_300_799_999
"""The years 1 to 9999, which are what FHIR can write."""

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\\s]+")
_PERIOD_UNITS, _WHENS = frozenset(("h", "d", "wk", "mo")), frozenset(("AC", "PC", "HS"))


class Directions(NamedTuple):
    """How a treatment is taken: the contract's prescription. None where nothing is written."""

    form: str | None = None
    strength: str | None = None
    dose: str | None = None
    frequency: int | None = None
    period: int | None = None
    period_unit: str | None = None
    when: str | None = None
    as_needed: bool | None = None
    duration: int | None = None
    duration_unit: str | None = None
    route: str | None = None


class Entity(NamedTuple):
    """A mention, and what the note says of it in the contract's words; UNKNOWN where nothing was judged."""

    entity_id: str
    label: str
    words: str
    status: str
    time: str
    experiencer: str
    directions: Directions | None


class Relation(NamedTuple):
    """A treatment and a disease of the same note, by their entity ids."""

    type: str
    treatment_id: str
    disease_id: str


class Model(NamedTuple):
    """What found the entities."""

    name: str
    version: str
    rules_version: str


class Note(NamedTuple):
    """An extracted note.

    Attributes:
        identity: Of what this model and these rules found in this revision: `event_id` of the record.
        patient_ref: Pseudonym of the patient; empty where none is known.
        written_at: When the note was written, UTC milliseconds.
        made_at: When its entities were found, UTC milliseconds.
    """

    source: str
    note_id: str
    revision: int
    identity: str
    patient_ref: str
    written_at: int
    made_at: int
    model: Model
    entities: tuple[Entity, ...]
    relations: tuple[Relation, ...]


def words_of(text: str) -> str:
    """Return a mention as one line that FHIR can hold: no control characters, blanks joined, at most `LONGEST_WORDS`."""
    if text.isalnum() and len(text) <= LONGEST_WORDS:
        return text
    line = _UNPRINTABLE.sub(" ", text[: 4 * LONGEST_WORDS]).strip()
    return line if len(line) <= LONGEST_WORDS else line[:LONGEST_WORDS].rstrip() + "..."


_directions_of_record = attrgetter(*Directions._fields)


def of_event(event: EntitiesExtracted) -> Note:
    """Return the note of a record of entities.extracted.v1.

    Raises:
        FhirRefused: Its texts are sealed.
    """
    if event.sealed is not None or event.encryption_key_id is not None:
        raise FhirRefused("the note's texts are sealed: open the record with its key first")
    model = event.model
    return Note(
        event.source,
        event.note_id,
        event.revision,
        event.event_id,
        event.patient_ref or "",
        event.written_at,
        event.extracted_at,
        Model(model.name, f"{model.version}, serial {model.serial}", event.rules_version),
        tuple(
            Entity(
                one.entity_id,
                one.label.value,
                words_of(one.text),
                *(
                    (UNKNOWN, UNKNOWN, UNKNOWN)
                    if (said := one.assertion) is None
                    else (said.status.value, said.time.value, said.experiencer.value)
                ),
                None if one.prescription is None else Directions(*_directions_of_record(one.prescription)),
            )
            for one in event.entities
        ),
        tuple(Relation(one.type.value, one.treatment_id, one.disease_id) for one in event.relations),
    )


def of_row(row: Mapping[str, Any]) -> Note:
    """Return the note of a row of the records at rest, whose times are UTC milliseconds.

    Raises:
        FhirRefused: Its texts are sealed, so that mentions are empty.
    """
    entities, relations = row["entities"] or (), row["relations"] or ()
    if any(not one["text"] for one in entities):
        raise FhirRefused("the note's texts are sealed: open the record with its key first")
    return Note(
        row["source"],
        row["note_id"],
        row["revision"],
        row["event_id"],
        row["patient_ref"] or "",
        row["written_at"],
        row["extracted_at"],
        Model(row["model_name"], f"{row['model_version']}, serial {row['model_serial']}", row["rules_version"]),
        _entities(entities),
        _relations(relations),
    )


class Found(NamedTuple):
    """Where a row of found entities comes from, which the row itself does not say."""

    source: str
    written_at: int
    model: Model


def of_found(row: Mapping[str, Any], note_id: str, found: Found) -> Note:
    """Return the note of a row as `rxtract extract --json` writes it; `patient_ref` and `written_at` of the row count if there.

    Raises:
        FhirRefused: A field has a type or a value that it cannot have; the message names the field, never what it holds.
    """
    entities, relations = row.get("entities"), row.get("relations", ())
    written_at = moment(row["written_at"]) if row.get("written_at") is not None else found.written_at
    patient_ref = row.get("patient_ref") or ""
    if not isinstance(patient_ref, str):
        raise FhirRefused('"patient_ref" must be a string: the pseudonym of the patient')
    if not isinstance(entities, list | tuple) or not isinstance(relations, list | tuple):
        raise FhirRefused('"entities" and "relations" must be lists, as `rxtract extract --file F --json` writes them')
    model = found.model
    identity = stable_id("found", found.source, note_id, model.name, model.version, model.rules_version)
    kept = tuple(map(_checked_entity, entities))
    if len({one.entity_id for one in kept}) < len(kept):
        raise FhirRefused('two entities have the same "entity_id"')
    bonds = tuple(map(_checked_relation, relations))
    return Note(found.source, note_id, 1, identity, patient_ref, written_at, written_at, model, kept, bonds)


def moment(value: object) -> int:
    """Return a time as UTC milliseconds: a whole number of them, or ISO 8601 with a time zone.

    >>> moment("2026-11-30T09:30:00+05:30")
    1796011200000

    Raises:
        FhirRefused: It is neither.
    """
    if type(value) is int and FIRST_MS <= value <= LAST_MS:
        return value
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        if found is not None and found.tzinfo is not None:
            return math.floor(found.timestamp() * 1000)
    except (ValueError, OverflowError):
        pass
    raise FhirRefused(
        '"written_at" must be a date and time with its zone, such as 2026-11-30T09:30:00+05:30, or UTC milliseconds'
    )


def written(ms: int) -> str:
    """Return UTC milliseconds as FHIR writes an instant.

    Raises:
        FhirRefused: It is outside the years 1 to 9999.
    """
    if not FIRST_MS <= ms <= LAST_MS:
        raise FhirRefused("a time of the note is outside the years 1 to 9999")
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _entities(rows: Sequence[Mapping[str, Any]]) -> tuple[Entity, ...]:
    return tuple(
        Entity(
            one["entity_id"], one["label"], words_of(one["text"]), *_said(one["assertion"]), _given(one["prescription"])
        )
        for one in rows
    )


def _relations(rows: Sequence[Mapping[str, Any]]) -> tuple[Relation, ...]:
    return tuple(Relation(one["type"], one["treatment_id"], one["disease_id"]) for one in rows)


def _said(assertion: Mapping[str, Any] | None) -> tuple[str, str, str]:
    if not assertion:
        return UNKNOWN, UNKNOWN, UNKNOWN
    return assertion["status"], assertion["time"], assertion["experiencer"]


def _given(prescription: Mapping[str, Any] | None) -> Directions | None:
    return Directions(*map(prescription.get, Directions._fields)) if prescription else None


def _checked_relation(row: object) -> Relation:
    if isinstance(row, dict):
        found = row.get("type"), row.get("treatment_id"), row.get("disease_id")
        if all(isinstance(one, str) for one in found):
            return Relation(*map(str, found))
    raise FhirRefused("a relation must have type, treatment_id and disease_id, as `rxtract extract --json` writes it")


def _checked_entity(row: object) -> Entity:
    if not isinstance(row, dict):
        raise FhirRefused("an entity must be an object, as `rxtract extract --json` writes it")
    for name in ("entity_id", "label", "text"):
        if not isinstance(row.get(name), str) or not row[name]:
            raise FhirRefused(f'"{name}" of an entity is missing or no string')
    assertion, prescription = row.get("assertion") or {}, row.get("prescription") or {}
    if not isinstance(assertion, dict) or not isinstance(prescription, dict):
        raise FhirRefused('"assertion" and "prescription" of an entity must be objects, or null')
    status, time, whose = (assertion.get(name, UNKNOWN) for name in ("status", "time", "experiencer"))
    if not all(isinstance(one, str) for one in (status, time, whose)):
        raise FhirRefused("status, time and experiencer of an assertion must be words")
    directions = _checked_directions(prescription)
    return Entity(row["entity_id"], row["label"], words_of(row["text"]), status, time, whose, directions)


def _checked_directions(given: Mapping[str, Any]) -> Directions | None:
    found = Directions(*map(given.get, Directions._fields))
    if not any(one is not None for one in found):
        return None
    for name in ("form", "strength", "dose", "route"):
        if not isinstance(given.get(name), str | None):
            raise FhirRefused(f'"{name}" of a prescription must be a string, or null')
    for name in ("frequency", "period", "duration"):
        value = given.get(name)
        if value is not None and (type(value) is not int or not 0 < value < 10_000):
            raise FhirRefused(f'"{name}" of a prescription must be a whole number above 0, or null')
    for name, known in (("period_unit", _PERIOD_UNITS), ("duration_unit", _PERIOD_UNITS), ("when", _WHENS)):
        value = given.get(name)
        if value is not None and value not in known:
            raise FhirRefused(f'"{name}" of a prescription must be one of {", ".join(sorted(known))}, or null')
    if not isinstance(found.as_needed, bool | None):
        raise FhirRefused('"as_needed" of a prescription must be true, false or null')
    return found
