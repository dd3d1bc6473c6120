"""Drift statistics: sums over at most 25 notes of one segment, never texts."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from contracts.records import ModelRef, NoteAccepted, StatisticsObserved, StatisticSum

from extractor.domain.tagging import NoteNumbers

NOTES_PER_RECORD = 25

STATISTICS = (
    "note_tokens",
    "note_chars",
    "oov_share",
    "unknown_char_share",
    "disease_entities",
    "treatment_entities",
    "disease_token_share",
    "treatment_token_share",
    "confidence",
)
"""One value a note each. Shares are per token or per character; a note without any has no share."""


class Observation(NamedTuple):
    """One live note: where it lay, what it is, and its numbers."""

    offset: int
    note: NoteAccepted
    numbers: NoteNumbers


def observe(observations: Sequence[Observation], model: ModelRef, note_partition: int) -> Iterator[StatisticsObserved]:
    """Sum the notes of one batch up, per segment (all, city, specialty, and both), at most 25 notes a record.

    Args:
        observations: Ascending by offset, of one partition.
        model: The model that tagged the notes.
        note_partition: That partition.
    """
    rows = [(observation, values_of(observation.numbers)) for observation in observations]
    segments: dict[str, list[tuple[Observation, Values]]] = {}
    for row in rows:
        for segment in segments_of(row[0].note.city, row[0].note.specialty):
            segments.setdefault(segment, []).append(row)
    for segment, members in segments.items():
        for begin in range(0, len(members), NOTES_PER_RECORD):
            yield _summed(segment, members[begin : begin + NOTES_PER_RECORD], model, note_partition)


Values = tuple[float, ...]
"""One value for each of `STATISTICS`; NaN where the note has none."""


def segments_of(city: str, specialty: str) -> tuple[str, str, str, str]:
    """The keys of the segments that a note belongs to."""
    return "all", f"city={city}", f"specialty={specialty}", f"city={city}|specialty={specialty}"


def values_of(numbers: NoteNumbers) -> Values:
    """The values of one note, in the order of `STATISTICS`."""
    tokens, chars = numbers.tokens, numbers.chars
    return (
        float(tokens),
        float(chars),
        numbers.oov_tokens / tokens if tokens else math.nan,
        numbers.unknown_chars / chars if chars else math.nan,
        float(numbers.disease_entities),
        float(numbers.treatment_entities),
        numbers.disease_tokens / tokens if tokens else math.nan,
        numbers.treatment_tokens / tokens if tokens else math.nan,
        numbers.confidence,
    )


def _summed(
    segment: str, rows: Sequence[tuple[Observation, Values]], model: ModelRef, note_partition: int
) -> StatisticsObserved:
    columns = zip(*(values for _, values in rows), strict=True)
    return StatisticsObserved(
        segment=segment,
        model=model,
        note_partition=note_partition,
        first_offset=rows[0][0].offset,
        last_offset=rows[-1][0].offset,
        observed_at=max(max(row.note.written_at, row.note.accepted_at) for row, _ in rows),
        n=len(rows),
        statistics=tuple(_sum(name, column) for name, column in zip(STATISTICS, columns, strict=True)),
    )


def _sum(name: str, column: Sequence[float]) -> StatisticSum:
    values = [value for value in column if value == value]  # noqa: PLR0124 - NaN is not equal to itself
    return StatisticSum(
        name=name,
        count=float(len(values)),
        sum=math.fsum(values),
        sum_of_squares=math.fsum([value * value for value in values]),
    )
