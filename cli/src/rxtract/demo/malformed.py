"""Notes that are wrong on purpose, each with the reason code it must be refused with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from contracts.identity import note_key
from contracts.reasons import Reason

if TYPE_CHECKING:
    from contracts.records import NoteSubmitted
    from contracts.wire import Serializer


@dataclass(frozen=True, slots=True)
class Malformed:
    """A record as it is sent, and why it must be refused. `mendable` ones decode: their fields can be put right."""

    key: bytes
    value: bytes
    reason: Reason
    mendable: bool


def malformed_notes(note: NoteSubmitted, serialize: Serializer[NoteSubmitted]) -> list[Malformed]:
    """Return three records made from a good note: not Avro, cut short, and with an empty text."""

    def key(end: str) -> bytes:
        return note_key(note.source, note.note_id + end).encode()

    good = serialize(note)
    empty = replace(note, note_id=f"{note.note_id}-empty", text="   ")
    return [
        Malformed(key("-json"), b'{"text": "c/o fever"}', Reason.WRONG_MAGIC_BYTE, mendable=False),
        Malformed(key("-cut"), good[:-20], Reason.TRUNCATED, mendable=False),
        Malformed(key("-empty"), serialize(empty), Reason.EMPTY_TEXT, mendable=True),
    ]
