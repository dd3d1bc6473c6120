"""Which parts of a record are texts of a patient, and how they travel: taken out and sealed together, opened and put back.

Sealed are the note's text, what was written about it to the lead, the words of every entity and what was read from them (the prescription's attributes). Offsets, labels,
assertions, relations and confidences stay in clear, so that counts need no key.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import fields as fields_of
from operator import attrgetter
from typing import Any, TypeVar

from contracts.identity import note_key
from contracts.records import Prescription

SEPARATOR = "\0"
"""No text holds it: the doors refuse control characters."""
WITH_TEXT = frozenset({"NoteSubmitted", "NoteAccepted", "ReviewRequested", "AnnotationValidated"})
WITH_COMMENT = frozenset({"AnnotationValidated"})
ENTITY_FIELDS = {
    "ReviewRequested": ("entities",),
    "AnnotationValidated": ("predicted_entities", "entities"),
    "EntitiesExtracted": ("entities",),
}
_TEXT_ALONE = WITH_TEXT - WITH_COMMENT - set(ENTITY_FIELDS)
SEALED_RECORDS = frozenset({*WITH_TEXT, *ENTITY_FIELDS})
W = TypeVar("W")
_set = object.__setattr__
ATTRIBUTES = tuple(field.name for field in fields_of(Prescription))
_values = attrgetter(*ATTRIBUTES)
_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def subject_of(record: Any) -> str:
    """Whose texts they are: the patient's pseudonym; of a record that names no patient the note itself."""
    return record.patient_ref or f"note|{note_key(record.source, record.note_id)}"


def identity_of(record: Any, key_id: str) -> bytes:
    """What a sealed text is bound to: the kind of record, its note and revision, and the key."""
    return identity(record.SCHEMA_NAME, record.source, record.note_id, record.revision, key_id)


def identity(kind: str, source: str, note_id: str, revision: int, key_id: str) -> bytes:
    """As `identity_of`, from its parts."""
    return f"{kind}|{source}|{note_id}|{revision}|{key_id}".encode()


def taken_out(record: Any) -> bytes:
    """The texts of a record in one piece.

    Raises:
        ValueError: A text holds a NUL.
    """
    name = record.SCHEMA_NAME
    fields = ENTITY_FIELDS.get(name)
    payload: str
    if fields is None:
        payload, count = record.text + SEPARATOR, 1
    else:
        parts = [record.text] if name in WITH_TEXT else []
        entities = [entity for field in fields for entity in getattr(record, field)]
        if name in WITH_COMMENT:
            parts.append("" if record.comment is None else f"={record.comment}")
        begin = len(parts)
        parts += [entity.text for entity in entities]
        count = len(parts)
        prescribed = [
            (number, *_values(entity.prescription))
            for number, entity in enumerate(entities, begin)
            if entity.prescription is not None
        ]
        parts.append(_json(prescribed) if prescribed else "")
        payload = SEPARATOR.join(parts)
    if payload.count(SEPARATOR) != count:
        raise ValueError("a text holds a NUL")
    return payload.encode()


def written_empty(record: Any, key_id: str, sealed: bytes, write: Callable[[Any], W]) -> W:
    """Write a record without its texts; afterwards it is as it was. It belongs to this thread alone."""
    name = record.SCHEMA_NAME
    if name in _TEXT_ALONE:
        return _written_without_text(record, key_id, sealed, write)
    before_key = record.encryption_key_id
    text = record.text if name in WITH_TEXT else None
    comment = record.comment if name in WITH_COMMENT else None
    entities = [entity for field in ENTITY_FIELDS.get(name, ()) for entity in getattr(record, field)]
    before = [(entity, entity.text, entity.prescription) for entity in entities]
    try:
        _set(record, "sealed", sealed)
        _set(record, "encryption_key_id", key_id)
        if text is not None:
            _set(record, "text", "")
        if comment is not None:
            _set(record, "comment", None)
        for entity in entities:
            _set(entity, "text", "")
            _set(entity, "prescription", None)
        return write(record)
    finally:
        _set(record, "sealed", None)
        _set(record, "encryption_key_id", before_key)
        if text is not None:
            _set(record, "text", text)
        if comment is not None:
            _set(record, "comment", comment)
        for entity, words, prescription in before:
            _set(entity, "text", words)
            _set(entity, "prescription", prescription)


def _written_without_text(record: Any, key_id: str, sealed: bytes, write: Callable[[Any], W]) -> W:
    """As `written_empty`, for each note that comes in."""
    before = record.encryption_key_id, record.text
    try:
        _set(record, "sealed", sealed)
        _set(record, "encryption_key_id", key_id)
        _set(record, "text", "")
        return write(record)
    finally:
        _set(record, "sealed", None)
        _set(record, "encryption_key_id", before[0])
        _set(record, "text", before[1])


def put_back(record: Any, payload: bytes) -> None:
    """Put the texts into a record that nobody else holds.

    Raises:
        ValueError: The texts are not those of such a record.
    """
    parts = payload.decode().split(SEPARATOR)
    name = record.SCHEMA_NAME
    fields = ENTITY_FIELDS.get(name, ())
    if not fields:
        if len(parts) != 2:
            raise ValueError("the texts are not as many as the record's")
        _set(record, "text", parts[0])
        return
    begin = (name in WITH_TEXT) + (name in WITH_COMMENT)
    entities = [entity for field in fields for entity in getattr(record, field)]
    if len(parts) != begin + len(entities) + 1:
        raise ValueError("the texts are not as many as the record's")
    if name in WITH_TEXT:
        _set(record, "text", parts[0])
    if name in WITH_COMMENT:
        _set(record, "comment", parts[1][1:] if parts[1] else None)
    for entity, text in zip(entities, parts[begin:], strict=False):  # the last part are the prescriptions
        _set(entity, "text", text)
    for number, prescription in _prescriptions(parts[-1]):
        _set(entities[number - begin], "prescription", prescription)


def words_of(payload: bytes) -> list[tuple[str, Prescription | None]]:
    """The words of the entities of an opened `EntitiesExtracted`, and their prescriptions, in order.

    Raises:
        ValueError: They are not those of such a record.
    """
    *texts, prescribed = payload.decode().split(SEPARATOR)
    found: dict[int, Prescription] = dict(_prescriptions(prescribed))
    return [(text, found.get(number)) for number, text in enumerate(texts)]


def _prescriptions(part: str) -> Iterator[tuple[int, Prescription]]:
    for number, *values in json.loads(part or "[]"):
        yield number, Prescription(**dict(zip(ATTRIBUTES, values, strict=True)))
