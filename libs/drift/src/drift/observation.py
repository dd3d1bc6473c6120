"""Drift statistics: sums over at most 25 notes of one segment, never texts."""

# ruff: noqa: D102 - a protocol's members say what they are by their names

import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from contracts.records import ModelRef, StatisticsObserved
from contracts.segments import segments_of
from numpy.typing import NDArray

NOTES_PER_RECORD = 25

STATISTICS = (
    "tokens",
    "disease_entities",
    "treatment_entities",
    "confidence",
    "oov_share",
    "unknown_char_share",
    "disease_token_share",
    "negated_share",
    "uncertain_share",
)
"""One value a note each, named and defined as in the model's reference statistics (`clinical_ner.reference.note_values`).

A share without a denominator is not counted. Their order is part of the contract: it is that of `StatisticsObserved.sums`.
"""

NUMBERS_EACH = 3
"""For each statistic in `StatisticsObserved.sums`: how many values, their sum, the sum of their squares."""

_FEW = 3
"""Below so many notes plain numbers do: arrays cost more, and two numbers have one sum, in whatever order numpy adds."""

NO_SUMS = (0.0,) * (NUMBERS_EACH * len(STATISTICS))
"""The sums of no note."""


class NoteNumbers(Protocol):
    """Counts of one note, from which the drift statistics are made."""

    @property
    def tokens(self) -> int: ...
    @property
    def oov_tokens(self) -> int: ...
    @property
    def chars(self) -> int: ...
    @property
    def unknown_chars(self) -> int: ...
    @property
    def disease_entities(self) -> int: ...
    @property
    def treatment_entities(self) -> int: ...
    @property
    def disease_tokens(self) -> int: ...
    @property
    def treatment_tokens(self) -> int: ...
    @property
    def negated_entities(self) -> int: ...
    @property
    def uncertain_entities(self) -> int: ...
    @property
    def confidence(self) -> float: ...


class ObservedNote(Protocol):
    """What is needed of a note: where and when, never its text. `NoteAccepted` is one."""

    @property
    def city(self) -> str: ...
    @property
    def specialty(self) -> str: ...
    @property
    def written_at(self) -> int: ...
    @property
    def accepted_at(self) -> int: ...


class Observation(NamedTuple):
    """One live note: where it lay, what it is, and its numbers."""

    offset: int
    note: ObservedNote
    numbers: NoteNumbers


class ObservedNotes(NamedTuple):
    """Live notes of one batch and partition, ascending by offset, as columns.

    Attributes:
        places: City and specialty of each.
        values: One row a note, in the order of `STATISTICS`, NaN where it has none; shape (notes, statistics).
        times: When it was observed, UTC milliseconds.
    """

    places: Sequence[tuple[str, str]]
    offsets: NDArray[np.int64]
    times: NDArray[np.int64]
    values: NDArray[np.float64]


class ObservedSums(NamedTuple):
    """Records to be: one row each, named as in `StatisticsObserved`."""

    segments: list[str]
    first_offsets: NDArray[np.int64]
    last_offsets: NDArray[np.int64]
    observed_at: NDArray[np.int64]
    n: NDArray[np.int64]
    sums: NDArray[np.float64]


def observe_columns(notes: ObservedNotes, notes_per_record: int = NOTES_PER_RECORD) -> ObservedSums:
    """Sum the notes of one batch up, per segment (all, city, specialty, and both); at most so many notes a record."""
    segments: dict[str, list[int]] = {}
    for row, place in enumerate(notes.places):
        for segment in segments_of(*place):
            segments.setdefault(segment, []).append(row)
    chunks = [
        (segment, rows[begin : begin + notes_per_record])
        for segment, rows in segments.items()
        for begin in range(0, len(rows), notes_per_record)
    ]
    order = np.array([row for _, rows in chunks for row in rows], np.intp)
    n = np.array([len(rows) for _, rows in chunks], np.int64)
    begins = np.cumsum(n) - n
    return ObservedSums(
        segments=[segment for segment, _ in chunks],
        first_offsets=notes.offsets[order[begins]],
        last_offsets=notes.offsets[order[begins + n - 1]],
        observed_at=np.maximum.reduceat(notes.times[order], begins),
        n=n,
        sums=np.add.reduceat(_numbers(notes.values)[order], begins),
    )


def observe(
    observations: Sequence[Observation], model: ModelRef, note_partition: int, notes_per_record: int = NOTES_PER_RECORD
) -> Iterator[StatisticsObserved]:
    """The same of notes as objects, as records.

    Args:
        observations: Ascending by offset, of one partition.
        model: The model that tagged the notes.
        note_partition: That partition.
        notes_per_record: At most so many.
    """
    records = _observe_few if len(observations) < _FEW else _observe_many
    for segment, first, last, at, n, sums in records(observations, notes_per_record):
        yield StatisticsObserved(
            segment=segment,
            model=model,
            note_partition=note_partition,
            first_offset=first,
            last_offset=last,
            observed_at=at,
            n=n,
            statistics=(),
            sums=tuple(sums),
        )


_Sums = tuple[str, int, int, int, int, Sequence[float]]


def _observe_many(observations: Sequence[Observation], notes_per_record: int) -> Iterator[_Sums]:
    notes = ObservedNotes(
        [(note.city, note.specialty) for _, note, _ in observations],
        np.array([offset for offset, _, _ in observations], np.int64),
        np.array([max(note.written_at, note.accepted_at) for _, note, _ in observations], np.int64),
        np.array([values_of(numbers) for _, _, numbers in observations], np.float64),
    )
    found = observe_columns(notes, notes_per_record)
    columns = (found.first_offsets, found.last_offsets, found.observed_at, found.n, found.sums)
    return zip(found.segments, *(one.tolist() for one in columns), strict=True)


def _observe_few(observations: Sequence[Observation], notes_per_record: int) -> Iterator[_Sums]:
    """The same without arrays, which cost as much for one note as for a hundred."""
    segments: dict[str, list[int]] = {}
    for row, (_, note, _) in enumerate(observations):
        for segment in segments_of(note.city, note.specialty):
            segments.setdefault(segment, []).append(row)
    table = [[number for value in values_of(numbers) for number in _three(value)] for _, _, numbers in observations]
    times = [max(note.written_at, note.accepted_at) for _, note, _ in observations]
    for segment, found in segments.items():
        for begin in range(0, len(found), notes_per_record):
            rows = found[begin : begin + notes_per_record]
            sums = table[rows[0]] if len(rows) == 1 else list(map(operator.add, *[table[row] for row in rows]))
            first, last = observations[rows[0]].offset, observations[rows[-1]].offset
            yield segment, first, last, max([times[row] for row in rows]), len(rows), sums


def _three(value: float) -> tuple[float, float, float]:
    return (0.0, 0.0, 0.0) if math.isnan(value) else (1.0, float(value), float(value) * value)


Values = tuple[float, ...]
"""One value for each of `STATISTICS`; NaN where the note has none."""


def values_of(numbers: NoteNumbers) -> Values:
    """The values of one note, in the order of `STATISTICS`."""
    tokens, chars = numbers.tokens, numbers.chars
    entity_tokens = numbers.disease_tokens + numbers.treatment_tokens
    entities = numbers.disease_entities + numbers.treatment_entities
    return (
        tokens,
        numbers.disease_entities,
        numbers.treatment_entities,
        numbers.confidence,
        numbers.oov_tokens / tokens if tokens else math.nan,
        numbers.unknown_chars / chars if chars else math.nan,
        numbers.disease_tokens / entity_tokens if entity_tokens else math.nan,
        numbers.negated_entities / entities if entities else math.nan,
        numbers.uncertain_entities / entities if entities else math.nan,
    )


def sums_of(record: StatisticsObserved) -> Sequence[float]:
    """The sums of a record in the order of `STATISTICS`, whoever wrote it; what is missing or no number is zero.

    Records from before `sums` say them by name.
    """
    sums = record.sums
    if len(sums) == len(NO_SUMS) and math.isfinite(sum(sums)):
        return sums  # as nearly always
    if sums:
        triples = zip(*(iter(sums),) * NUMBERS_EACH, strict=False)
        return in_order(dict(zip(STATISTICS, triples, strict=False)))
    return in_order({one.name: (one.count, one.sum, one.sum_of_squares) for one in record.statistics})


def in_order(by_name: Mapping[str, Sequence[float]]) -> tuple[float, ...]:
    """Sums by name as `StatisticsObserved.sums` has them; a statistic that is missing or no number is zero."""
    return tuple(number for name in STATISTICS for number in _finite(by_name.get(name)))


def _finite(numbers: Sequence[float] | None) -> Sequence[float]:
    if numbers is None or not all(map(math.isfinite, numbers)):
        return NO_SUMS[:NUMBERS_EACH]
    return numbers


def values_of_columns(numbers: NDArray[np.int64], confidences: NDArray[np.float64]) -> NDArray[np.float64]:
    """`values_of` many notes; shape (notes, statistics).

    Args:
        numbers: Tokens, unseen tokens, unknown characters, characters, entities of diseases and of treatments, their tokens,
            negated and uncertain entities; shape (10, notes).
        confidences: Shape (notes,).
    """
    tokens, oov, unknown, chars, diseases, treatments, disease_tokens, treatment_tokens, negated, uncertain = numbers
    entities = diseases + treatments
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = [
            np.where(whole > 0, part / whole, np.nan)
            for part, whole in (
                (oov, tokens),
                (unknown, chars),
                (disease_tokens, disease_tokens + treatment_tokens),
                (negated, entities),
                (uncertain, entities),
            )
        ]
    return np.stack([tokens, diseases, treatments, confidences, *shares], axis=1)


def _numbers(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each note and statistic the three numbers, side by side as the record has them."""
    known = ~np.isnan(table)
    table = np.where(known, table, 0.0)
    return np.stack([known.astype(np.float64), table, table * table], axis=2).reshape(len(table), -1)
