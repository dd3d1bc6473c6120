"""A batch of notes to the records of its entities, in columns: no object is made of a note, and native code does the work.

It is the way of batches that are plain: all written by our own schema, valid, and none of them near the limit of a record's
size. Of any other it says so before anything is decided, and the handler goes the way of objects, which knows the reasons.
"""

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np
from contracts.columns import (
    CodePoints,
    ColumnReader,
    Columns,
    ColumnWriter,
    Constant,
    Fixed,
    Identities,
    Source,
    Sources,
    Written,
    code_points,
    identities,
    long_bytes,
    pieces,
    string_bytes,
)
from contracts.records import (
    EntitiesExtracted,
    NoteAccepted,
    Origin,
    ReviewReason,
    ReviewRequested,
    Sample,
    StatisticsObserved,
)
from contracts.wire import MAX_RECORD_BYTES, Deserializer, Serializer
from drift.observation import NO_SUMS, NOTES_PER_RECORD, ObservedNotes, ObservedSums, observe_columns, values_of_columns
from numpy.typing import NDArray
from runtime.kafka.records import InputRecord, OutputRecord
from sealing import BatchSeals
from serving.tagging import LoadedModel, TagColumns, TaggedColumns

from extractor.domain.gain import expected_gains
from extractor.domain.sampling import UNSURE, Chosen, Sampling
from extractor.sealed_columns import Texts, Words, sealed_sources, texts_of, words_of

Longs = NDArray[np.int64]

_LIVE = list(Origin).index(Origin.LIVE)
_REASONS = {reason: place for place, reason in enumerate(ReviewReason)}
_SAMPLES = {sample: place for place, sample in enumerate(Sample)}
_IS_NULL = -1
_NULL, _NONE_IN_LIST = Constant(b"\0"), Constant(b"\0")
_PASSED_ON = ("pseudonym_key_id", "purpose", "consent_artefact_id", "encryption_key_id")
_ASSERTION = ("status", "time", "experiencer", "cue_start", "cue_end")
_ENTITY_BYTES, _RELATION_BYTES, _NOTE_BYTES = 400, 80, 2_048


class _Live(NamedTuple):
    """As much of a live note as sampling asks."""

    city: str
    specialty: str
    accepted_at: int


class _Names:
    """e1, e2 and so on as a column: one behind the other, as many as a note has ever had."""

    def __init__(self) -> None:
        self._made = self._of(1_024)

    @staticmethod
    def _of(count: int) -> Source:
        names = [f"e{number}".encode() for number in range(1, count + 1)]
        lengths = np.array([len(name) for name in names], np.int64)
        return Source(np.cumsum(lengths) - lengths, lengths, np.frombuffer(b"".join(names), np.uint8))

    def __call__(self, places: Longs) -> Source:
        most = int(places.max(initial=0))
        if most >= len(self._made.first):
            self._made = self._of(2 * most)
        first, lengths, base = self._made
        return Source(first[places], None if lengths is None else lengths[places], base)


class Batch(NamedTuple):
    """Notes that were read and tagged.

    Attributes:
        texts: Of the notes, as they came or as they were opened.
        live: Rows of the live ones.
        places: City and specialty of these.
    """

    notes: Columns
    texts: Texts
    points: CodePoints
    tagged: TaggedColumns
    live: Longs
    places: list[tuple[str, str]]


class Made(NamedTuple):
    """What became of a batch.

    Attributes:
        outputs: Events and requests, in the order of the notes.
        chosen: What was decided of the notes that were not just passed, by row.
    """

    outputs: list[OutputRecord]
    chosen: Mapping[int, Chosen]


class PlainCodecs(NamedTuple):
    """Codecs that seal and open nothing: of their schemas a batch is read and written by columns.

    Attributes:
        seals: Opens and seals what lies in the columns; None where sealing is off.
    """

    note: Deserializer[NoteAccepted]
    entities: Serializer[EntitiesExtracted]
    review: Serializer[ReviewRequested]
    statistics: Serializer[StatisticsObserved]
    seals: BatchSeals | None = None


class ColumnExtraction:
    """Reads, tags and writes batches.

    Args:
        plain: Know the header of our own schema's notes, and the ids of the schemas that are written.
        sampling: Chooses what people look at.
        topics: Full names of the topics of entities, reviews and statistics.
    """

    def __init__(self, plain: PlainCodecs, sampling: Sampling, topics: tuple[str, str, str]) -> None:
        self._note = plain.note
        self._read = ColumnReader(NoteAccepted.SCHEMA_NAME)
        self._write_event = ColumnWriter(EntitiesExtracted.SCHEMA_NAME, plain.entities.schema_id)
        self._write_review = ColumnWriter(ReviewRequested.SCHEMA_NAME, plain.review.schema_id)
        self._write_statistics = ColumnWriter(StatisticsObserved.SCHEMA_NAME, plain.statistics.schema_id)
        self._seals = plain.seals
        self._sampling = sampling
        self._entities_topic, self._reviews_topic, self._statistics_topic = topics
        self._names = _Names()
        self._decoded: dict[bytes, str] = {}

    def batch(self, values: Sequence[bytes | None], model: LoadedModel) -> Batch | None:
        """Read, open and tag; None if the notes must go the other way.

        Raises:
            KeyStoreAway: Wait and try again.
        """
        header = self._note.own_header
        tag: TagColumns | None = getattr(model.tagger, "tag_columns", None)
        if header is None or tag is None:
            return None
        notes = self._read(values, header)
        texts = None if notes.failed else texts_of(notes, self._seals)
        if texts is None:
            return None
        points = code_points(texts.column, texts.data)
        try:
            tagged = tag(*points)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - the other way finds the note that breaks the tagger, and counts it
            return None
        if _may_be_too_large(values, tagged):
            return None
        live = np.flatnonzero(notes["origin"].first == _LIVE)
        cities, specialties = (map(self._text, notes.slices(path, live)) for path in ("city", "specialty"))
        return Batch(notes, texts, points, tagged, live, list(zip(cities, specialties, strict=True)))

    def _text(self, data: bytes) -> str:
        """Cities and specialties are few."""
        found = self._decoded.get(data)
        if found is None:
            if len(self._decoded) >= 4_096:
                self._decoded.clear()
            found = self._decoded[data] = data.decode()
        return found

    def make(self, batch: Batch, model: LoadedModel, now_ms: int) -> Made:
        """Choose and write."""
        notes = batch.notes
        of = identities(notes, model.ref.serial, model.rules_serial)
        chosen = self._choose(batch, of.keys, model.ref.serial)
        shared, words = self._shared(batch, of, model), self._words(batch)
        all_rows = np.arange(len(notes), dtype=np.int64)
        sources = self._sealing(EntitiesExtracted, shared | _event_sources(batch, chosen, now_ms), words, all_rows)
        events = self._write_event(sources, all_rows)
        outputs = _outputs(self._entities_topic, of.keys, events)
        asked = [row for row, one in chosen.items() if one.review.requested]
        if asked:
            rows = np.array(asked, np.int64)
            asking = shared | _review_sources(batch, chosen, now_ms) | _gains(batch, rows, model)
            requests = self._write_review(self._sealing(ReviewRequested, asking, words, rows), rows)
            reviews = _outputs(self._reviews_topic, [of.keys[row] for row in asked], requests)
            outputs = _behind(outputs, asked, reviews)
        return Made(outputs, chosen)

    def _choose(self, batch: Batch, keys: Sequence[bytes], serial: int) -> dict[int, Chosen]:
        """What is decided of the notes that are not just passed on, in order."""
        confidences = batch.tagged.note_confidences
        unsure = np.flatnonzero(confidences < self._sampling.review_below).tolist()
        if not (self._sampling.audits and len(batch.live)):
            return dict.fromkeys(unsure, UNSURE)
        chosen = dict.fromkeys(unsure, UNSURE)
        rows, accepted = batch.live, batch.notes["accepted_at"].first
        of_live = self._sampling.of_live
        sure, times = confidences[rows].tolist(), accepted[rows].tolist()
        for row, place, confidence, at in zip(rows.tolist(), batch.places, sure, times, strict=True):
            one = of_live(keys[row], _Live(*place, at), confidence, serial)
            if one.is_passed:
                chosen.pop(row, None)
            else:
                chosen[row] = one
        return {row: chosen[row] for row in sorted(chosen)}

    def _shared(self, batch: Batch, of: Identities, model: LoadedModel) -> dict[str, Source | Fixed | Constant]:
        """What events and requests say alike."""
        notes, tagged = batch.notes, batch.tagged
        passed = ("source", "note_id", "revision", "origin", "patient_ref", "written_at", *_PASSED_ON)
        name, version, serial = model.ref.name, model.ref.version, model.ref.serial
        return {
            **{path: Source(*notes[path], notes.data) for path in passed},
            **{f"segment.{path}": Source(*notes[path], notes.data) for path in ("city", "specialty")},
            "event_id": of.event_ids,
            "model": Constant(string_bytes(name) + string_bytes(version) + long_bytes(serial)),
            "rules_version": Constant(string_bytes(model.tagger.rules_version)),
            "rules_serial": Constant(long_bytes(model.rules_serial)),
            "note_confidence": Source(np.ascontiguousarray(tagged.note_confidences)),
            "sealed": _NULL,
            **self._entity_sources(batch),
            **self._relation_sources(tagged),
        }

    def _words(self, batch: Batch) -> Words | None:
        """What has to be sealed; None where sealing is off."""
        tagged, texts = batch.tagged, batch.texts
        if self._seals is None:
            return None
        spans = tagged.notes, tagged.starts, tagged.ends
        places = pieces(texts.column, texts.data, batch.points.bounds, spans)
        return words_of(texts, places, tagged.prescriptions(), tagged.bounds)

    def _sealing(
        self, kind: type[EntitiesExtracted | ReviewRequested], sources: Sources, words: Words | None, rows: Longs
    ) -> Sources:
        """The same without words, and with what is sealed of them."""
        if self._seals is None or words is None:
            return sources
        return sealed_sources(self._seals, kind.SCHEMA_NAME, sources, words, rows)

    def _entity_sources(self, batch: Batch) -> dict[str, Source]:
        tagged = batch.tagged
        spans = tagged.notes, tagged.starts, tagged.ends
        taken, present = tagged.prescriptions(), np.zeros(len(tagged.notes), np.int64)
        return {
            "entities": Source(tagged.bounds[:-1], tagged.bounds[1:]),
            "entities[].entity_id": self._names(np.arange(len(tagged.notes)) - tagged.bounds[tagged.notes]),
            "entities[].label": Source(tagged.labels),
            "entities[].text": Source(
                *pieces(batch.texts.column, batch.texts.data, batch.points.bounds, spans), batch.texts.data
            ),
            "entities[].start": Source(tagged.starts),
            "entities[].end": Source(tagged.ends),
            "entities[].confidence": Source(tagged.confidences),
            "entities[].assertion": Source(present, present),
            **{f"entities[].assertion.{one}": Source(tagged.assertions[at]) for at, one in enumerate(_ASSERTION)},
            "entities[].prescription": Source(taken.present, taken.present),
            **{f"entities[].prescription.{one}": Source(*columns, taken.base) for one, columns in taken.fields.items()},
        }

    def _relation_sources(self, tagged: TaggedColumns) -> dict[str, Source]:
        types, treatments, diseases = tagged.relations
        return {
            "relations": Source(tagged.relation_bounds[:-1], tagged.relation_bounds[1:]),
            "relations[].type": Source(types + 1),  # the contract's first one is UNKNOWN
            "relations[].treatment_id": self._names(treatments),
            "relations[].disease_id": self._names(diseases),
            "relations[].confidence": Source(tagged.relation_confidences),
        }

    def statistics(
        self, batch: Batch, model: LoadedModel, records: Sequence[InputRecord], until: Mapping[int, int]
    ) -> list[OutputRecord]:
        """The drift statistics of the live notes by partition; below that one's offset note by note."""
        notes, rows = batch.notes, batch.live
        offsets = np.array([records[row].offset for row in rows.tolist()], np.int64)
        times = np.maximum(notes["written_at"].first, notes["accepted_at"].first)[rows]
        values = values_of_columns(batch.tagged.numbers[:, rows], batch.tagged.mean_confidences[rows])
        partitions = np.array([records[row].partition for row in rows.tolist()], np.int64)
        found: list[tuple[int, ObservedSums]] = []
        for partition, offset in until.items():
            own = np.flatnonzero(partitions == partition)
            again = int(np.count_nonzero(offsets[own] < offset))
            for part, most in ((own[:again], 1), (own[again:], NOTES_PER_RECORD)):
                places = [batch.places[at] for at in part.tolist()]
                if places:
                    observed = ObservedNotes(places, offsets[part], times[part], values[part])
                    found.append((partition, observe_columns(observed, most)))
        return self._sums(found, model) if found else []

    def _sums(self, parts: Sequence[tuple[int, ObservedSums]], model: LoadedModel) -> list[OutputRecord]:
        partitions = np.repeat([one for one, _ in parts], [len(sums.n) for _, sums in parts])
        joined = [np.concatenate(columns) for columns in zip(*[sums[1:] for _, sums in parts], strict=True)]
        found = ObservedSums([segment for _, sums in parts for segment in sums.segments], *joined)
        keys = [segment.encode() for segment in found.segments]
        lengths = np.array([len(key) for key in keys], np.int64)
        edges = np.arange(len(keys) + 1, dtype=np.int64) * len(NO_SUMS)
        name, version, serial = model.ref.name, model.ref.version, model.ref.serial
        sources: dict[str, Source | Constant] = {
            "segment": Source(np.cumsum(lengths) - lengths, lengths, np.frombuffer(b"".join(keys), np.uint8)),
            "model": Constant(string_bytes(name) + string_bytes(version) + long_bytes(serial)),
            "note_partition": Source(partitions),
            "first_offset": Source(found.first_offsets),
            "last_offset": Source(found.last_offsets),
            "observed_at": Source(found.observed_at),
            "n": Source(found.n),
            "statistics": _NONE_IN_LIST,
            "sums": Source(edges[:-1], edges[1:]),
            "sums[]": Source(np.ascontiguousarray(found.sums).reshape(-1)),
        }
        written = self._write_statistics(sources, np.arange(len(keys), dtype=np.int64))
        return _outputs(self._statistics_topic, keys, written)


def _gains(batch: Batch, rows: Longs, model: LoadedModel) -> dict[str, Source]:
    """What looking at these notes is expected to teach."""
    values, is_null = np.zeros(len(batch.notes)), np.full(len(batch.notes), _IS_NULL, np.int64)
    texts = [batch.texts.text(row) for row in rows.tolist()]
    for row, gain in zip(rows.tolist(), expected_gains(model.tagger, texts), strict=True):
        if gain is not None:
            values[row], is_null[row] = gain, 0
    return {"expected_gain": Source(values, is_null)}


def _may_be_too_large(values: Sequence[bytes | None], tagged: TaggedColumns) -> bool:
    """Whether a record that comes of a note may exceed its limit: more than it can take is assumed."""
    sizes = np.array([len(value or b"") for value in values], np.int64)
    relations = np.diff(tagged.relation_bounds)
    texts = 4 * np.bincount(tagged.notes, tagged.ends - tagged.starts, len(sizes))
    entities = np.diff(tagged.bounds)
    taken = 4 * sizes * (entities > 0)  # strengths and doses stand in the note, in at most as many bytes
    most = 2 * sizes + texts + taken + _ENTITY_BYTES * entities + _RELATION_BYTES * relations + _NOTE_BYTES
    return bool((most > MAX_RECORD_BYTES).any())


def _event_sources(batch: Batch, chosen: Mapping[int, Chosen], now_ms: int) -> dict[str, Source | Constant]:
    notes = batch.notes
    requested, reason = np.zeros((2, len(notes)), np.int64)
    probability, is_null = np.zeros(len(notes)), np.full(len(notes), _IS_NULL, np.int64)
    for row, one in chosen.items():
        requested[row], reason[row] = one.review.requested, _REASONS[one.review.reason]
        if one.review.inclusion_probability is not None:
            probability[row], is_null[row] = one.review.inclusion_probability, 0
    return {
        "accepted_at": Source(notes["accepted_at"].first),
        "extracted_at": Constant(long_bytes(now_ms)),
        "review.requested": Source(requested),
        "review.reason": Source(reason),
        "review.inclusion_probability": Source(probability, is_null),
    }


def _review_sources(batch: Batch, chosen: Mapping[int, Chosen], now_ms: int) -> dict[str, Source | Constant]:
    notes = batch.notes
    sample, shown = np.zeros((2, len(notes)), np.int64)
    probability = np.ones(len(notes))
    for row, one in chosen.items():
        sample[row], shown[row] = _SAMPLES[one.sample], one.show_predictions
        probability[row] = one.review.inclusion_probability or 1.0
    return {
        "text": Source(*batch.texts.column, batch.texts.data),
        "doctor_ref": Source(*notes["doctor_ref"], notes.data),
        "requested_at": Constant(long_bytes(now_ms)),
        "sample": Source(sample),
        "inclusion_probability": Source(probability),
        "show_predictions": Source(shown),
    }


def _outputs(topic: str, keys: Sequence[bytes], written: Written) -> list[OutputRecord]:
    """One record a value; a call of the class for each would take twice as long."""
    rows = zip(repeat(topic), keys, written.values(), repeat(()), repeat(None), repeat(False))
    return list(map(tuple.__new__, repeat(OutputRecord), rows))


def _behind(outputs: Sequence[OutputRecord], rows: Sequence[int], others: Sequence[OutputRecord]) -> list[OutputRecord]:
    """Some outputs, each behind the one of its row."""
    joined: list[OutputRecord] = []
    begin = 0
    for row, other in zip(rows, others, strict=True):
        joined += outputs[begin : row + 1]
        joined.append(other)
        begin = row + 1
    joined += outputs[begin:]
    return joined
