"""Drift statistics: sums over at most 25 notes of one segment, never texts."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
from contracts.records import ModelRef, StatisticsObserved

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

NO_SUMS = (0.0,) * (NUMBERS_EACH * len(STATISTICS))
"""The sums of no note."""


class NoteNumbers(Protocol):
    """Counts of one note, from which the drift statistics are made."""

    @property
    def tokens(self) -> int: ...  # noqa: D102
    @property
    def oov_tokens(self) -> int: ...  # noqa: D102
    @property
    def chars(self) -> int: ...  # noqa: D102
    @property
    def unknown_chars(self) -> int: ...  # noqa: D102
    @property
    def disease_entities(self) -> int: ...  # noqa: D102
    @property
    def treatment_entities(self) -> int: ...  # noqa: D102
    @property
    def disease_tokens(self) -> int: ...  # noqa: D102
    @property
    def treatment_tokens(self) -> int: ...  # noqa: D102
    @property
    def negated_entities(self) -> int: ...  # noqa: D102
    @property
    def uncertain_entities(self) -> int: ...  # noqa: D102
    @property
    def confidence(self) -> float: ...  # noqa: D102


class ObservedNote(Protocol):
    """What is needed of a note: where and when, never its text. `NoteAccepted` is one."""

    @property
    def city(self) -> str: ...  # noqa: D102
    @property
    def specialty(self) -> str: ...  # noqa: D102
    @property
    def written_at(self) -> int: ...  # noqa: D102
    @property
    def accepted_at(self) -> int: ...  # noqa: D102


class Observation(NamedTuple):
    """One live note: where it lay, what it is, and its numbers."""

    offset: int
    note: ObservedNote
    numbers: NoteNumbers


def observe(
    observations: Sequence[Observation], model: ModelRef, note_partition: int, notes_per_record: int = NOTES_PER_RECORD
) -> Iterator[StatisticsObserved]:
    """Sum the notes of one batch up, per segment (all, city, specialty, and both).

    Args:
        observations: Ascending by offset, of one partition.
        model: The model that tagged the notes.
        note_partition: That partition.
        notes_per_record: At most so many.
    """
    if not observations:
        return
    segments: dict[str, list[int]] = {}
    for row, (_, note, _) in enumerate(observations):
        for segment in segments_of(note.city, note.specialty):
            segments.setdefault(segment, []).append(row)
    chunks = [
        (segment, rows[begin : begin + notes_per_record])
        for segment, rows in segments.items()
        for begin in range(0, len(rows), notes_per_record)
    ]
    times = [max(note.written_at, note.accepted_at) for _, note, _ in observations]
    sums = _sums([values_of(numbers) for _, _, numbers in observations], [rows for _, rows in chunks])
    for (segment, rows), of_rows in zip(chunks, sums, strict=True):
        yield StatisticsObserved(
            segment=segment,
            model=model,
            note_partition=note_partition,
            first_offset=observations[rows[0]].offset,
            last_offset=observations[rows[-1]].offset,
            observed_at=max([times[row] for row in rows]),
            n=len(rows),
            statistics=(),
            sums=of_rows,
        )


Values = tuple[float, ...]
"""One value for each of `STATISTICS`; NaN where the note has none."""


@lru_cache(maxsize=4_096)
def segments_of(city: str, specialty: str) -> tuple[str, str, str, str]:
    """The keys of the segments that a note belongs to."""
    return "all", f"city={city}", f"specialty={specialty}", f"city={city}|specialty={specialty}"


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


def _sums(values: Sequence[Values], chunks: Sequence[Sequence[int]]) -> Iterator[tuple[float, ...]]:
    """For each chunk of rows the sums of its statistics; one pass of numpy over all of them."""
    table = np.array(values, dtype=np.float64)
    order = np.concatenate([np.asarray(rows, dtype=np.intp) for rows in chunks])
    begins = np.cumsum([0, *(len(rows) for rows in chunks[:-1])])
    known = ~np.isnan(table)
    table = np.where(known, table, 0.0)
    # Of each note and statistic the three numbers, side by side as the record has them.
    numbers = np.stack([known.astype(np.float64), table, table * table], axis=2).reshape(len(values), -1)
    yield from map(tuple, np.add.reduceat(numbers[order], begins).tolist())
