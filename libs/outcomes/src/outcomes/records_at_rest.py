"""Structured records at rest: Parquet files by day, and one manifest that says which of them exist and up to which offset.

A batch is written as files that nobody sees, then one rename of the manifest shows the files and moves the offsets together. Whatever dies
in between leaves orphans, which the next start deletes; the records are read again from the manifest's offset. Rows may repeat over
files (a note's revisions, other models, other rules); readers see the one with the highest (revision, model serial, rules serial).
"""

import fcntl
import json
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Self
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from contracts.files import NAMESPACE
from contracts.records import EntitiesCoded, EntitiesExtracted

from outcomes.days import day_of

MANIFEST = "manifest.json"
MERGE_AT_FILES = 16
GROUP_ROWS = 8_192
"""Rows that are compressed, written and read together: what a merge holds in memory, about 8 MiB."""
_READ_BYTES = 1 << 18

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
_MENTION = pa.struct(
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
        ("written_at", pa.timestamp("ms", tz="UTC")),
        ("accepted_at", pa.timestamp("ms", tz="UTC")),
        ("extracted_at", pa.timestamp("ms", tz="UTC")),
        ("day", pa.string()),
        ("note_confidence", pa.float64()),
        ("review_reason", pa.string()),
        ("entities", pa.list_(_MENTION)),
        ("relations", pa.list_(_RELATION)),
        ("encryption_key_id", pa.string()),
        ("sealed", pa.binary()),
    ]
)
"""Where `sealed` is not null the entities have neither words nor prescriptions: they are in it, and only the patient's key opens them."""

CODES = "codes"
"""The folder within the records in which codes lie, with a manifest of their own."""
_CODE = pa.struct(
    [
        ("entity_id", pa.string()),
        ("system", pa.string()),
        ("code", pa.string()),
        ("display", pa.string()),
        ("version", pa.string()),
        ("score", pa.float64()),
        ("how", pa.string()),
        ("place", pa.int32()),
    ]
)
CODES_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("note_id", pa.string()),
        ("entities_event_id", pa.string()),
        ("event_id", pa.string()),
        ("table_version", pa.string()),
        ("table_serial", pa.int64()),
        ("day", pa.string()),
        ("codes", pa.list_(_CODE)),
    ]
)


@dataclass(frozen=True, slots=True)
class SinkFile:
    """One visible file, relative to the folder."""

    path: str
    day: str
    rows: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is visible, and the next offset of each partition ("topic-partition").

    Attributes:
        retired: Files that a merge replaced. Readers of a manifest before may still have them open; `delete_retired` deletes them.
    """

    files: tuple[SinkFile, ...] = ()
    offsets: Mapping[str, int] = field(default_factory=dict)
    retired: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a folder's manifest; an empty one when there is none yet.

        Raises:
            DamagedManifest: It is none of ours.
            OlderRecords: It was, before the contract began anew.
        """
        try:
            found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            files = tuple(SinkFile(**one) for one in found["files"])
            manifest = cls(files, {key: int(value) for key, value in found["offsets"].items()}, tuple(found["retired"]))
            namespace = found.get("namespace")
        except FileNotFoundError:
            return cls()
        except (ValueError, TypeError, KeyError, AttributeError):
            raise DamagedManifest(
                f"{MANIFEST} in {folder.name} is damaged: put back a copy of it, or let the scorekeeper begin in an empty folder"
            ) from None
        if namespace != NAMESPACE:
            raise OlderRecords(
                f"{folder.name} holds records of an older contract: let the scorekeeper begin in an empty folder"
            )
        return manifest

    def text(self) -> str:
        """The manifest as it lies on disk."""
        return json.dumps({**asdict(self), "namespace": NAMESPACE}, indent=1, sort_keys=True)


class DamagedManifest(RuntimeError):
    """The manifest cannot be read, so nobody knows which files count."""


class OlderRecords(DamagedManifest):
    """Its records are of another namespace than the contract's: they name no source, so their notes cannot be told apart."""


class FolderInUse(RuntimeError):
    """Another process writes into the folder."""


def row_of(event: EntitiesExtracted, zone: ZoneInfo) -> dict[str, Any]:
    """One row; of a sealed event a sealed one."""
    return {
        "source": event.source,
        "note_id": event.note_id,
        "revision": event.revision,
        "event_id": event.event_id,
        "origin": event.origin.value,
        "model_name": event.model.name,
        "model_version": event.model.version,
        "model_serial": event.model.serial,
        "rules_version": event.rules_version,
        "rules_serial": event.rules_serial,
        "patient_ref": event.patient_ref or None,  # a null counts for no patient, so no text is shown because of it
        "city": event.segment.city,
        "specialty": event.segment.specialty,
        "written_at": event.written_at,
        "accepted_at": event.accepted_at,
        "extracted_at": event.extracted_at,
        "day": day_of(event.written_at, zone),
        "note_confidence": event.note_confidence,
        "review_reason": event.review.reason.value,
        "entities": [
            {
                "entity_id": one.entity_id,
                "label": one.label.value,
                "text": one.text,
                "start": one.start,
                "end": one.end,
                "confidence": one.confidence,
                "assertion": one.assertion and one.assertion.to_dict(),
                "prescription": one.prescription and one.prescription.to_dict(),
            }
            for one in event.entities
        ],
        "relations": [
            {
                "type": one.type.value,
                "treatment_id": one.treatment_id,
                "disease_id": one.disease_id,
                "confidence": one.confidence,
            }
            for one in event.relations
        ],
        "encryption_key_id": event.encryption_key_id,
        "sealed": event.sealed,
    }


def codes_row_of(event: EntitiesCoded, zone: ZoneInfo) -> dict[str, Any]:
    """One row of codes: of one event of entities, by one set of tables."""
    return {
        "source": event.source,
        "note_id": event.note_id,
        "entities_event_id": event.entities_event_id,
        "event_id": event.event_id,
        "table_version": event.table_version,
        "table_serial": event.table_serial,
        "day": day_of(event.written_at, zone),
        "codes": [
            {"entity_id": one.entity_id, "place": place, **code.to_dict()}
            for one in event.entities
            for place, code in enumerate(one.codes, 1)
        ],
    }


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows of one partition, with the offset of the first record and the one after the last. Rows may be fewer than records."""

    topic: str
    partition: int
    first_offset: int
    next_offset: int
    rows: Sequence[Mapping[str, Any]]


def _no_step(_name: str) -> None:
    """Nothing happens between two steps, other than in tests that end the process there."""


Beat = Callable[[], None]
"""Called between files, so that whoever waits for a long write or merge hears that we live; it may end the process by raising."""


def _no_beat() -> None:
    """Nobody waits."""


class RecordsAtRest:
    """The one writer of a folder.

    Args:
        folder: Made when it is not there, readable by us alone: entity texts are health data.
        on_step: Called with the name of each step that is about to be taken; tests end the process there.
        schema: The columns of its rows, one of which is `day`.

    Raises:
        FolderInUse: Another writer has it.
        DamagedManifest: Nothing was touched.
    """

    def __init__(self, folder: Path, on_step: Callable[[str], None] = _no_step, schema: pa.Schema = SCHEMA) -> None:
        self._folder = folder
        self._schema = schema
        self._on_step = on_step
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _lock(folder)
        try:
            self.manifest = Manifest.read(folder)
        except DamagedManifest:
            self._lock.close()
            raise
        self._sweep()

    def close(self) -> None:
        """Let the folder go."""
        self._lock.close()

    def next_offset(self, topic: str, partition: int) -> int | None:
        """Where to go on reading; None at the very start."""
        return self.manifest.offsets.get(f"{topic}-{partition}")

    def append(self, stretches: Iterable[Stretch], beat: Beat = _no_beat) -> None:
        """Make rows and offsets visible together: one file a day, named after the place of its first row."""
        offsets = dict(self.manifest.offsets)
        names: dict[str, str] = {}
        by_day: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for stretch in stretches:
            offsets[f"{stretch.topic}-{stretch.partition}"] = stretch.next_offset
            for row in stretch.rows:
                names.setdefault(row["day"], f"{stretch.topic}-{stretch.partition}-{stretch.first_offset}.parquet")
                by_day[row["day"]].append(row)
        files = list(self.manifest.files)
        for day, rows in by_day.items():
            beat()
            files.append(self._write(day, names[day], [pa.Table.from_pylist(rows, self._schema)]))
        self._show(Manifest(tuple(files), offsets, self.manifest.retired))

    def merge_a_day(self, at_files: int = MERGE_AT_FILES, beat: Beat = _no_beat) -> int:
        """Merge the files of the day that has most; returns how many files are gone from sight, 0 when no day has so many.

        The rows pass through, a group at a time: a day may hold more than the memory does.
        """
        by_day: dict[str, list[SinkFile]] = defaultdict(list)
        for one in self.manifest.files:
            by_day[one.day].append(one)
        day, gone = max(by_day.items(), key=lambda found: len(found[1]), default=("", []))
        if len(gone) < max(at_files, 2):
            return 0
        name = f"merged-{max(_number(one.path) for one in gone) + 1}.parquet"
        merged = self._write(day, name, self._groups(gone, beat))
        kept = [one for one in self.manifest.files if one.day != day]
        retired = (*self.manifest.retired, *(one.path for one in gone))
        self._show(Manifest((*kept, merged), self.manifest.offsets, retired))
        return len(gone) - 1

    def erase(self, patients: Collection[str], beat: Beat = _no_beat) -> int:
        """Write the files anew that hold rows of these patients (pseudonyms), without them, and delete the old ones. Returns how many rows went.

        A reader that has an old manifest and not yet opened its files is answered with an error once: an erasure does not wait for it.
        """
        kept, gone, rows = [], [], 0
        number = max((_number(one.path) for one in self.manifest.files), default=0)
        for one in self.manifest.files:
            beat()
            found = self._rows_of(one, patients)
            if not found:
                kept.append(one)
                continue
            number, rows = number + 1, rows + found
            gone.append(one.path)
            if found < one.rows:
                kept.append(self._write(one.day, f"merged-{number}.parquet", self._without(one, patients, beat)))
        if gone:
            self._show(Manifest(tuple(kept), self.manifest.offsets, (*self.manifest.retired, *gone)))
        self.delete_retired()  # what an earlier merge replaced may hold them too
        return rows

    def _rows_of(self, one: SinkFile, patients: Collection[str]) -> int:
        """How many rows of a file are of these patients."""
        names = pq.read_table(self._folder / one.path, columns=["patient_ref"], use_threads=False).column(0)
        return int(pc.sum(pc.is_in(names, value_set=pa.array(list(patients), pa.string()))).as_py() or 0)

    def _without(self, one: SinkFile, patients: Collection[str], beat: Beat) -> Iterator[pa.Table]:
        wanted = pa.array(list(patients), pa.string())
        for table in self._groups([one], beat):
            yield table.filter(pc.invert(pc.is_in(table.column("patient_ref"), value_set=wanted)))

    def delete_retired(self) -> None:
        """Delete what earlier merges replaced. Do it long after them: readers may have the files open."""
        retired = self.manifest.retired
        if not retired:
            return
        self._show(replace(self.manifest, retired=()))
        self._on_step("delete retired files")
        for path in retired:
            (self._folder / path).unlink(missing_ok=True)

    def _groups(self, files: Iterable[SinkFile], beat: Beat) -> Iterator[pa.Table]:
        """The rows of some files in order, `GROUP_ROWS` at a time however they lie, and with the columns of now."""
        held = self._schema.empty_table()
        for one in files:
            with pq.ParquetFile(self._folder / one.path, buffer_size=_READ_BYTES, pre_buffer=False) as source:
                for batch in source.iter_batches(GROUP_ROWS, use_threads=False):
                    beat()
                    held = pa.concat_tables([held, _as_of_now(batch, self._schema)])
                    if held.num_rows >= GROUP_ROWS:
                        yield held.slice(0, GROUP_ROWS)
                        held = held.slice(GROUP_ROWS)
        if held.num_rows:
            yield held

    def _write(self, day: str, name: str, tables: Iterable[pa.Table]) -> SinkFile:
        place = self._folder / f"day={day}"
        place.mkdir(mode=0o700, exist_ok=True)
        self._on_step("write a file")
        rows = 0
        with (place / name).open("wb") as out:
            with pq.ParquetWriter(out, self._schema, compression="zstd") as writer:
                for table in tables:
                    writer.write_table(table, GROUP_ROWS)
                    rows += table.num_rows
            out.flush()
            os.fsync(out.fileno())
        _sync(place)
        return SinkFile(f"day={day}/{name}", day, rows)

    def _show(self, manifest: Manifest) -> None:
        unfinished = self._folder / f"{MANIFEST}.part"
        self._on_step("write the manifest")
        with unfinished.open("w", encoding="utf-8") as out:
            out.write(manifest.text())
            out.flush()
            os.fsync(out.fileno())
        self._on_step("show the manifest")
        unfinished.replace(self._folder / MANIFEST)
        _sync(self._folder)
        self.manifest = manifest
        self._on_step("shown")

    def _sweep(self) -> None:
        """Delete what an earlier process wrote and never showed."""
        visible = {one.path for one in self.manifest.files} | set(self.manifest.retired)
        for path in self._folder.glob("day=*/*.parquet"):
            if str(path.relative_to(self._folder)) not in visible:
                path.unlink()


def _as_of_now(batch: pa.RecordBatch, schema: pa.Schema) -> pa.Table:
    """Rows with the columns of now: one that came later is null in a file from before."""
    there = set(batch.schema.names)
    columns = [
        batch.column(field.name).cast(field.type) if field.name in there else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _number(path: str) -> int:
    name = path.rpartition("/")[2]
    return int(name.removeprefix("merged-").removesuffix(".parquet")) if name.startswith("merged-") else 0


def _lock(folder: Path) -> IO[str]:
    lock = (folder / "writer.lock").open("w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise FolderInUse("another scorekeeper writes into the sink folder: end it, or give this one another") from None
    return lock


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
