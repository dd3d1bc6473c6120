"""A tagger that does next to nothing, so that a benchmark measures the way of a note and not the model."""

from collections.abc import Sequence
from dataclasses import fields
from typing import NamedTuple

import numpy as np
from contracts.records import Prescription
from numpy.typing import NDArray

PRESCRIPTION = [field.name for field in fields(Prescription)]


class TrivialAssertion(NamedTuple):
    """What is said of an entity: that the patient has it now."""

    status: str = "PRESENT"
    time: str = "CURRENT"
    experiencer: str = "PATIENT"
    cue_start: int = -1
    cue_end: int = -1


class TrivialEntity(NamedTuple):
    """The first word of a note, whatever it is."""

    label: str
    start: int
    end: int
    confidence: float
    assertion: TrivialAssertion = TrivialAssertion()
    prescription: None = None


class TrivialNumbers(NamedTuple):
    """Counts that cost nothing."""

    tokens: int
    oov_tokens: int
    chars: int
    unknown_chars: int
    disease_entities: int
    treatment_entities: int
    disease_tokens: int
    treatment_tokens: int
    negated_entities: int
    uncertain_entities: int
    confidence: float


class TrivialNote(NamedTuple):
    """What the trivial tagger says."""

    entities: tuple[TrivialEntity, ...]
    relations: tuple[()]
    confidence: float
    statistics: TrivialNumbers


class TrivialPrescriptions(NamedTuple):
    """None."""

    present: NDArray[np.int64]
    fields: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]
    base: NDArray[np.uint8]


class TrivialColumns(NamedTuple):
    """The same in columns."""

    bounds: NDArray[np.int64]
    notes: NDArray[np.int64]
    labels: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    confidences: NDArray[np.float64]
    assertions: NDArray[np.int64]
    relation_bounds: NDArray[np.int64]
    relations: NDArray[np.int64]
    relation_confidences: NDArray[np.float64]
    note_confidences: NDArray[np.float64]
    numbers: NDArray[np.int64]
    mean_confidences: NDArray[np.float64]

    def prescriptions(self) -> TrivialPrescriptions:
        """Nothing is written."""
        none = np.full(len(self.notes), -1, np.int64)
        return TrivialPrescriptions(none, dict.fromkeys(PRESCRIPTION, (none, none)), np.zeros(1, np.uint8))


class TrivialTagger:
    """Calls the first word of every note a disease, with certainty."""

    rules_version = "none"

    def tag(self, texts: Sequence[str]) -> list[TrivialNote]:
        """Tag texts."""
        return [_tag(text) for text in texts]

    def tag_columns(self, points: NDArray[np.uint32], bounds: NDArray[np.int64]) -> TrivialColumns:
        """Tag texts given as code points."""
        n = len(bounds) - 1
        begins, lengths = bounds[:-1], np.diff(bounds)
        blanks = np.append(np.flatnonzero(points == ord(" ")), len(points))
        first = np.minimum(blanks[np.searchsorted(blanks, begins)] - begins, lengths)
        ends = np.where(first <= 0, lengths, first)
        numbers = np.zeros((10, n), np.int64)
        numbers[[0, 4, 6]] = np.array([[12], [1], [1]])
        numbers[3] = lengths
        said = np.array([1, 1, 1, -1, -1], np.int64)
        rows, sure = np.arange(n + 1, dtype=np.int64), np.full(n, 0.99)
        return TrivialColumns(
            bounds=rows,
            notes=rows[:-1],
            labels=np.ones(n, np.int64),
            starts=np.zeros(n, np.int64),
            ends=ends,
            confidences=sure,
            assertions=np.ascontiguousarray(np.repeat(said[:, None], n, axis=1)),
            relation_bounds=np.zeros(n + 1, np.int64),
            relations=np.zeros((3, 0), np.int64),
            relation_confidences=np.zeros(0),
            note_confidences=sure,
            numbers=numbers,
            mean_confidences=sure,
        )


def _tag(text: str) -> TrivialNote:
    end = text.find(" ")
    end = len(text) if end <= 0 else end
    numbers = TrivialNumbers(12, 0, len(text), 0, 1, 0, 1, 0, 0, 0, 0.99)
    return TrivialNote((TrivialEntity("DISEASE", 0, end, 0.99),), (), 0.99, numbers)
