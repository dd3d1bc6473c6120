"""Notes in, records at rest out: one Arrow batch at a time. Knows no engine, so every engine that has Arrow can call it.

The columns are those of the scorekeeper's records at rest, so `rxtract sql` reads both.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from clinical_ner.meaning import Experiencer, Prescription, RelationType, Status, Time
from clinical_ner.notes import Label

from rxtract_tagger import notes_at_rest as rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clinical_ner.meaning import Assertion, Relation
    from clinical_ner.tagger import Entity, TaggedNote
    from numpy.typing import NDArray

    from rxtract_tagger.tagger import ModelIdentity, Tagger

TIME = pa.timestamp("ms", tz="UTC")
_ASSERTION = pa.struct(
    [
        ("status", pa.string()),
        ("time", pa.string()),
        ("experiencer", pa.string()),
        ("cue_start", pa.int32()),
        ("cue_end", pa.int32()),
    ]
)
_PRESCRIPTION = pa.struct(
    [
        ("form", pa.string()),
        ("strength", pa.string()),
        ("dose", pa.string()),
        ("frequency", pa.int32()),
        ("period", pa.int32()),
        ("period_unit", pa.string()),
        ("when", pa.string()),
        ("as_needed", pa.bool_()),
        ("duration", pa.int32()),
        ("duration_unit", pa.string()),
        ("route", pa.string()),
    ]
)
_ENTITY = pa.struct(
    [
        ("entity_id", pa.string()),
        ("label", pa.string()),
        ("text", pa.string()),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("confidence", pa.float64()),
        ("assertion", _ASSERTION),
        ("prescription", _PRESCRIPTION),
    ]
)
_RELATION = pa.struct(
    [("type", pa.string()), ("treatment_id", pa.string()), ("disease_id", pa.string()), ("confidence", pa.float64())]
)
SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("note_id", pa.string()),
        ("revision", pa.int32()),
        ("event_id", pa.string()),
        ("origin", pa.string()),
        ("model_name", pa.string()),
        ("model_version", pa.string()),
        ("model_serial", pa.int64()),
        ("rules_version", pa.string()),
        ("rules_serial", pa.int64()),
        ("patient_ref", pa.string()),
        ("city", pa.string()),
        ("specialty", pa.string()),
        ("written_at", TIME),
        ("accepted_at", TIME),
        ("extracted_at", TIME),
        ("day", pa.string()),
        ("note_confidence", pa.float64()),
        ("review_reason", pa.string()),
        ("entities", pa.list_(_ENTITY)),
        ("relations", pa.list_(_RELATION)),
    ]
)
REFUSED = pa.schema([("row", pa.int64()), ("source", pa.string()), ("note_id", pa.string()), ("reason", pa.string())])
OPTIONAL = ("source", "revision", "patient_ref", "city", "specialty", "written_at")
"""Columns that are taken when they are there, beside note_id and text."""


class LakeError(ValueError):
    """A table that cannot be tagged as it is; one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How notes of a lake are read.

    Attributes:
        source: Which system they are from, where the table has no column `source`.
        zone: Time zone whose days are counted.
        extracted_at: UTC milliseconds, on every row; default now.
        text: Name of the column of texts.
        note_id: Name of the column of ids.
    """

    source: str = "lake"
    zone: str = "Asia/Kolkata"
    extracted_at: int = field(default_factory=lambda: int(time.time() * 1000))
    text: str = "text"
    note_id: str = "note_id"

    def __post_init__(self) -> None:
        if rules.source_fault(self.source):
            raise LakeError(f"{self.source!r} names no source: 1 to 40 of a-z, 0-9 and hyphen")
        try:
            ZoneInfo(self.zone)
        except (ValueError, OSError, KeyError):
            raise LakeError(f"{self.zone!r} is no time zone: write one like Asia/Kolkata") from None

    def columns(self, there: Iterable[str]) -> list[str]:
        """Return the columns to read of those that are there.

        Raises:
            LakeError: A column that must be there is not.
        """
        names = list(there)
        for name in (self.note_id, self.text):
            if name not in names:
                raise LakeError(
                    f"no column {name!r} (there are {', '.join(names)[:200]}): name the columns of ids and texts"
                )
        return [self.note_id, self.text, *(name for name in OPTIONAL if name in names)]


class Tagged(NamedTuple):
    """The rows of a batch (`SCHEMA`), and the rows that were refused (`REFUSED`; `row` is the place in the batch)."""

    rows: pa.RecordBatch
    refused: pa.RecordBatch


def tag_batch(batch: pa.RecordBatch, tagger: Tagger, reading: Reading) -> Tagged:
    """Tag the notes of a batch; its columns are those that `Reading.columns` names.

    A note that a door would refuse is refused here too, with the door's reason, and never stops the others.

    Raises:
        LakeError: A column has a type that is no text, number or time.
    """
    notes = _notes(batch, reading)
    reasons = _reasons(notes)
    refused = [place for place, reason in enumerate(reasons) if reason is not None]
    listed = _listed(notes, refused, reasons)
    if refused:
        notes = notes.take(pa.array(np.delete(np.arange(notes.num_rows), refused)))
    texts = [rules.normalise(text) for text in notes.column("text").to_pylist()]
    return Tagged(_rows(notes, texts, tagger.model.tag(texts), tagger.identity, reading), listed)


def _notes(batch: pa.RecordBatch, reading: Reading) -> pa.RecordBatch:
    """The columns under their own names and types, with what is left out filled in."""
    there = set(batch.schema.names)
    size = batch.num_rows

    def column(name: str, kind: pa.DataType, otherwise: Any = None, called: str = "") -> pa.Array:
        if (called or name) not in there:
            return pa.repeat(pa.scalar(otherwise, kind), size)
        return _cast(batch.column(called or name), kind, called or name)

    made = {
        "source": column("source", pa.string(), reading.source),
        "note_id": column("note_id", pa.string(), called=reading.note_id),
        "revision": pc.fill_null(column("revision", pa.int64(), 1), 1),
        "patient_ref": column("patient_ref", pa.string()),
        "city": column("city", pa.string()),
        "specialty": column("specialty", pa.string()),
        "written_at": column("written_at", TIME),
        "text": column("text", pa.string(), called=reading.text),
    }
    return pa.RecordBatch.from_pydict(made)


def _cast(column: pa.Array, kind: pa.DataType, name: str) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_timestamp(kind) and pa.types.is_timestamp(column.type) and column.type.tz is None:
        column = column.cast(pa.timestamp(column.type.unit, "UTC"))
    try:
        return column.cast(kind, safe=not pa.types.is_timestamp(kind))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise LakeError(f"column {name!r} is {column.type} and cannot be read as {kind}: cast it before") from None


def _reasons(notes: pa.RecordBatch) -> list[str | None]:
    """Why each note is refused; None where it is not."""
    texts, ids = (notes.column(name).to_pylist() for name in ("text", "note_id"))
    reasons = [rules.text_fault(text) or rules.name_fault(one) for text, one in zip(texts, ids, strict=True)]
    latest = int(time.time() * 1000) + rules.DAY_MS
    written = notes.column("written_at").cast(pa.int64())
    impossible = pc.or_(pc.less(written, rules.EARLIEST_MS), pc.greater(written, latest))
    revisions = notes.column("revision")
    out_of_range = pc.or_(pc.less(revisions, 1), pc.greater(revisions, rules.MAX_REVISION))
    for flags, reason in ((impossible, "IMPOSSIBLE_TIME"), (out_of_range, "OUT_OF_RANGE")):
        for place in np.flatnonzero(pc.fill_null(flags, False).to_numpy(zero_copy_only=False)).tolist():
            reasons[place] = reasons[place] or reason
    sources = notes.column("source")
    for wrong in (one for one in pc.unique(sources).to_pylist() if rules.source_fault(one)):
        same = pc.is_null(sources) if wrong is None else pc.equal(sources, wrong)
        for place in np.flatnonzero(pc.fill_null(same, False).to_numpy(zero_copy_only=False)).tolist():
            reasons[place] = reasons[place] or "INVALID_SOURCE"
    return reasons


def _listed(notes: pa.RecordBatch, refused: Sequence[int], reasons: Sequence[str | None]) -> pa.RecordBatch:
    places = pa.array(refused, pa.int64())
    columns = [places, notes.column("source").take(places), notes.column("note_id").take(places)]
    return pa.RecordBatch.from_arrays(
        [*columns, pa.array([reasons[one] for one in refused], pa.string())], schema=REFUSED
    )


def _rows(
    notes: pa.RecordBatch, texts: Sequence[str], found: Sequence[TaggedNote], model: ModelIdentity, reading: Reading
) -> pa.RecordBatch:
    size = notes.num_rows
    now = pa.repeat(pa.scalar(reading.extracted_at, pa.int64()).cast(TIME), size)

    def same(value: str | int, kind: pa.DataType) -> pa.Array:
        return pa.repeat(pa.scalar(value, kind), size)

    made = {
        **{
            name: notes.column(name) for name in ("source", "note_id", "patient_ref", "city", "specialty", "written_at")
        },
        "revision": notes.column("revision").cast(pa.int32()),
        "event_id": _event_ids(notes, model),
        "origin": same("BACKFILL", pa.string()),
        "model_name": same(model.name, pa.string()),
        "model_version": same(model.version, pa.string()),
        "model_serial": same(model.serial, pa.int64()),
        "rules_version": same(model.rules_version, pa.string()),
        "rules_serial": same(model.rules_serial, pa.int64()),
        "accepted_at": now,
        "extracted_at": now,
        "day": _days(notes.column("written_at"), reading.zone),
        "note_confidence": pa.array([one.confidence for one in found], pa.float64()),
        "review_reason": same("NONE", pa.string()),
        "entities": _entities(texts, [one.entities for one in found]),
        "relations": _relations([one.relations for one in found]),
    }
    return pa.RecordBatch.from_arrays([made[name] for name in SCHEMA.names], schema=SCHEMA)


def _event_ids(notes: pa.RecordBatch, model: ModelIdentity) -> pa.Array:
    serials = f"|{model.serial}|{model.rules_serial}"
    columns = zip(*(notes.column(name).to_pylist() for name in ("source", "note_id", "revision")), strict=True)
    return pa.array(
        [rules.event_id(f"{source}|{one}|{revision}{serials}") for source, one, revision in columns], pa.string()
    )


def _days(written: pa.Array, zone: str) -> pa.Array:
    return pc.local_timestamp(written.cast(pa.timestamp("ms", tz=zone))).cast(pa.date32()).cast(pa.string())


def _entities(texts: Sequence[str], found: Sequence[Sequence[Entity]]) -> pa.Array:
    offsets = _offsets(found)
    flat: list[Entity] = list(chain.from_iterable(found))
    labels, starts, ends, confidences, assertions, prescriptions = zip(*flat, strict=True) if flat else ((),) * 6
    whole = chain.from_iterable(map(repeat, texts, np.diff(offsets).tolist()))
    columns = [
        _ids(np.arange(len(flat)) - np.repeat(offsets[:-1], np.diff(offsets))),
        _words(labels, tuple(Label)),
        pa.array([text[start:end] for text, start, end in zip(whole, starts, ends, strict=True)], pa.string()),
        pa.array(starts, pa.int32()),
        pa.array(ends, pa.int32()),
        pa.array(confidences, pa.float64()),
        _assertions(assertions),
        _prescriptions(prescriptions),
    ]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(columns, fields=list(_ENTITY)))


def _assertions(found: Sequence[Assertion]) -> pa.Array:
    statuses, times, experiencers, starts, ends = zip(*found, strict=True) if found else ((),) * 5
    columns = [
        _words(statuses, tuple(Status)),
        _words(times, tuple(Time)),
        _words(experiencers, tuple(Experiencer)),
        pa.array(starts, pa.int32()),
        pa.array(ends, pa.int32()),
    ]
    return pa.StructArray.from_arrays(columns, fields=list(_ASSERTION))


def _prescriptions(found: Sequence[Prescription | None]) -> pa.Array:
    """Most are None, so only the others are made, and each is put in its place."""
    written = [one for one in found if one is not None]
    columns = zip(*written, strict=True) if written else ((),) * len(Prescription._fields)
    arrays = [pa.array(column, kind.type) for column, kind in zip(columns, _PRESCRIPTION, strict=True)]
    there = np.array([one is not None for one in found], bool)
    places = np.cumsum(there, dtype=np.int64) - 1
    return pa.StructArray.from_arrays(arrays, fields=list(_PRESCRIPTION)).take(pa.array(places, mask=~there))


def _relations(found: Sequence[Sequence[Relation]]) -> pa.Array:
    flat = list(chain.from_iterable(found))
    types, treatments, diseases, confidences = zip(*flat, strict=True) if flat else ((),) * 4
    columns = [
        _words(types, tuple(RelationType)),
        _ids(np.array(treatments, np.int64)),
        _ids(np.array(diseases, np.int64)),
        pa.array(confidences, pa.float64()),
    ]
    return pa.ListArray.from_arrays(
        pa.array(_offsets(found)), pa.StructArray.from_arrays(columns, fields=list(_RELATION))
    )


def _offsets(lists: Sequence[Sequence[Any]]) -> NDArray[np.int32]:
    counts = np.fromiter(map(len, lists), np.int32, len(lists))
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int32)


def _words(found: Sequence[str], words: tuple[str, ...]) -> pa.Array:
    """Members of a closed list as strings."""
    places = {word: place for place, word in enumerate(words)}
    indices = np.fromiter(map(places.__getitem__, found), np.int32, len(found))
    return pa.array([str(word) for word in words], pa.string()).take(pa.array(indices))


def _ids(places: NDArray[np.int64]) -> pa.Array:
    """e1, e2, and so on."""
    most = int(places.max()) + 1 if len(places) else 0
    return pa.array([f"e{place + 1}" for place in range(most)], pa.string()).take(pa.array(places))
