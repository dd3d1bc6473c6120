"""What a note says of its entities: whether they are there, when and whose, what treats what, and how it is taken.

The phrases that decide are the tables in `data/meaning`, the rules are native
code that runs in the same call as the tagging. Nothing here is learnt.
"""

from __future__ import annotations

import ctypes
import weakref
from enum import StrEnum
from functools import cache
from itertools import product, repeat, starmap
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from clinical_ner.native import MeaningResult, code_points, library
from clinical_ner.notes import Label
from clinical_ner.phrases import FORMS, ROUTES, UNITS, WHENS, TableInvalid, Tables, shipped_tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from clinical_ner.predictions import Mention


class Status(StrEnum):
    """What the note says of an entity's being there; UNKNOWN: not judged."""

    UNKNOWN = "UNKNOWN"
    PRESENT = "PRESENT"
    NEGATED = "NEGATED"
    POSSIBLE = "POSSIBLE"
    HYPOTHETICAL = "HYPOTHETICAL"
    ALLERGY = "ALLERGY"
    REFUSED = "REFUSED"


class Time(StrEnum):
    """When: now, over, or to come."""

    UNKNOWN = "UNKNOWN"
    CURRENT = "CURRENT"
    HISTORICAL = "HISTORICAL"
    PLANNED = "PLANNED"


class Experiencer(StrEnum):
    """Whose it is: relatives by marriage are FAMILY too."""

    UNKNOWN = "UNKNOWN"
    PATIENT = "PATIENT"
    FAMILY = "FAMILY"
    OTHER = "OTHER"


class RelationType(StrEnum):
    """In which relation a treatment stands to a disease."""

    TREATS = "TREATS"
    TREATED = "TREATED"
    PLANNED = "PLANNED"
    PREVENTS = "PREVENTS"
    CAUSES = "CAUSES"
    CONTRAINDICATED = "CONTRAINDICATED"
    REFUSED = "REFUSED"
    TREATS_FAILED = "TREATS_FAILED"


class Assertion(NamedTuple):
    """`cue_start` and `cue_end` are the code points of the words that decided, -1 where none did."""

    status: Status
    time: Time
    experiencer: Experiencer
    cue_start: int
    cue_end: int


UNJUDGED = Assertion(Status.UNKNOWN, Time.UNKNOWN, Experiencer.UNKNOWN, -1, -1)


class Relation(NamedTuple):
    """A treatment and a disease, as places among the note's entities.

    `confidence` is that of the rule with ends that are right; what a tagger returns holds its doubt of both ends too.
    """

    type: RelationType
    treatment: int
    disease: int
    confidence: float


class Prescription(NamedTuple):
    """How a treatment is taken; None where nothing is written, or nothing clear.

    `frequency` times in `period` `period_unit`s. `strength` and `dose` are as written, with a blank before the unit.
    """

    form: str | None
    strength: str | None
    dose: str | None
    frequency: int | None
    period: int | None
    period_unit: str | None
    when: str | None
    as_needed: bool | None
    duration: int | None
    duration_unit: str | None
    route: str | None


class NoteMeaning(NamedTuple):
    """What was read of one note: an assertion and a prescription for each entity, in the order they were given."""

    assertions: tuple[Assertion, ...]
    prescriptions: tuple[Prescription | None, ...]
    relations: tuple[Relation, ...]


_STATUSES, _TIMES, _EXPERIENCERS, _TYPES = tuple(Status), tuple(Time), tuple(Experiencer), tuple(RelationType)
_FORMS, _ROUTES, _UNITS, _WHENS = ((None, *names) for names in (FORMS, ROUTES, UNITS, WHENS))
_NUMBERS = (None, *range(1, 1000))  # native code gives 0 for "not written" and nothing above
_CODE_OF = np.array([16, 4, 1], np.int32)
_WITHOUT_CUE = tuple(Assertion(*names, -1, -1) for names in product(_STATUSES, _TIMES, _EXPERIENCERS))
_CLASSES = {Label.DISEASE: 1, Label.TREATMENT: 2}
_SPAN_FIELDS, _ASSERTION_FIELDS, _RELATION_FIELDS, _PRESCRIPTION_FIELDS = 7, 5, 5, 11

# By rule (for, on, because, cause, prevent, avoid, fail, reaction): the share that was right when the rules first met
# lines they were not written on (tests/data/meaning_lines.txt), rounded down to steps of 0.05 because these are few lines.
_CONFIDENCES = np.array((0.9, 0.9, 0.8, 0.85, 0.85, 0.85, 0.8, 0.8))


class Reader:
    """The rules with one set of tables, in native memory. Calls from several threads take turns."""

    def __init__(self, tables: Tables | None = None) -> None:
        tables = shipped_tables() if tables is None else tables
        self.rules_version = tables.version
        self._lock = Lock()
        points, bounds = joined([phrase.text for phrase in tables.phrases])
        rows = np.array([phrase.row for phrase in tables.phrases], np.int32)
        self.address = library().cn_reader_new(points.ctypes.data, bounds.ctypes.data, rows.ctypes.data, len(rows))
        if not self.address:
            raise TableInvalid("the tables of phrases hold one that native code cannot use: at most 12 words and signs")
        weakref.finalize(self, library().cn_reader_free, self.address)

    def read(self, texts: Sequence[str], spans: Sequence[Sequence[Mention]]) -> list[NoteMeaning]:
        """Judge given spans of each text, of whatever tokenisation, in one native call.

        Spans of a note may come in any order and overlap; one that holds no letter, number or sign is UNKNOWN.
        """
        orders = [sorted(range(len(each)), key=lambda at: (each[at].start, each[at].end)) for each in spans]
        counts = np.fromiter(map(len, spans), np.int64, len(spans))
        span_bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        rows = np.zeros((int(span_bounds[-1]), _SPAN_FIELDS), np.int32)
        at = 0
        for note, (text, each, order) in enumerate(zip(texts, spans, orders, strict=True)):
            for index in order:
                span = each[index]
                if not 0 <= span.start <= span.end <= len(text):
                    raise ValueError(
                        f"the span {span.start}-{span.end} is not inside its text of {len(text)} characters"
                    )
                rows[at, :4] = note, _CLASSES[Label(span.label)], span.start, span.end
                at += 1
        points, bounds = joined(texts)
        result = MeaningResult()
        with self._lock:
            failed = library().cn_read(
                self.address,
                points.ctypes.data,
                bounds.ctypes.data,
                len(texts),
                rows.ctypes.data,
                span_bounds.ctypes.data,
                ctypes.addressof(result),
            )
            if failed:
                raise MemoryError("the rules ran out of memory")
            found = read_result(result, span_bounds)
        return [_reordered(meaning, order) for meaning, order in zip(found, orders, strict=True)]


@cache
def shipped_reader() -> Reader:
    """The reader of this package's tables."""
    return Reader()


def rules_version() -> str:
    """The version of the shipped tables and of the code that reads them."""
    return shipped_tables().version


def read_spans(text: str, spans: Sequence[Mention]) -> NoteMeaning:
    """Return what a text says of given spans."""
    return shipped_reader().read([text], [spans])[0]


def assert_spans(text: str, spans: Sequence[Mention]) -> tuple[Assertion, ...]:
    """Return the assertion of each span, in the order given.

    >>> from clinical_ner.notes import Span
    >>> assert_spans("No h/o DM", [Span(7, 9, Label.DISEASE)])[0].status.value
    'NEGATED'
    """
    return read_spans(text, spans).assertions


class _Named(NamedTuple):
    label: Label
    start: int
    end: int


def read_prescription(directions: str) -> Prescription | None:
    """Return what directions without a name say ("1 tab twice daily after food"); None if nothing."""
    name = "drug "
    return read_spans(name + directions, [_Named(Label.TREATMENT, 0, len(name) - 1)]).prescriptions[0]


def joined(texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return the code points of all texts and where each begins and the last ends."""
    bounds = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)), out=bounds[1:])
    return code_points("".join(texts)), bounds


class Meanings(NamedTuple):
    """What a native call has read, over all notes of the batch.

    `statuses` are places in `Status`, one an entity; `relation_rows` are (note, treatment, disease, type, rule).
    """

    assertions: tuple[Assertion, ...]
    prescriptions: list[Prescription | None]
    statuses: NDArray[np.int32]
    relation_rows: NDArray[np.int32]


class MeaningRows(NamedTuple):
    """What a native call has read, as it gives it (see `cn_meaning` in native/clinical_ner.h), copied.

    Attributes:
        assertions: Rows of (status, time, experiencer, cue_start, cue_end), one an entity; shape (entities, 5).
        relations: Rows of (note, treatment, disease, type, rule); shape (relations, 5).
        prescriptions: Rows of (entity, form, frequency, period, its unit, when, as needed, duration, its unit, route, 1 if two
            lines of the texts are its own); shape (prescriptions, 11).
        texts: UTF-8: strength and dose, a line each.
    """

    assertions: NDArray[np.int32]
    relations: NDArray[np.int32]
    prescriptions: NDArray[np.int32]
    texts: bytes


def meaning_rows(result: MeaningResult) -> MeaningRows:
    """Copy what a native call has read."""
    return MeaningRows(
        copied(result.assertions, np.int32, result.n_assertions, _ASSERTION_FIELDS),
        copied(result.relations, np.int32, result.n_relations, _RELATION_FIELDS),
        copied(result.prescriptions, np.int32, result.n_prescriptions, _PRESCRIPTION_FIELDS),
        ctypes.string_at(result.texts, result.n_text) if result.n_text else b"",
    )


def meanings(rows: MeaningRows) -> Meanings:
    """Turn what a native call has read into objects; no Python frame is spent on an entity."""
    return Meanings(_assertions(rows.assertions), _prescriptions(rows), rows.assertions[:, 0], rows.relations)


def relations_of(rows: NDArray[np.int32], sure: NDArray[np.float64] | float = 1.0) -> tuple[Relation, ...]:
    """Turn rows of relations into objects; `sure` is how sure both ends of each are right."""
    _, treatments, diseases, types, rules = rows.T
    kinds = map(_TYPES.__getitem__, types.tolist())
    return tuple(_rows(Relation, kinds, treatments.tolist(), diseases.tolist(), (_CONFIDENCES[rules] * sure).tolist()))


def _rows(kind: type[Any], *columns: Iterable[Any]) -> Iterator[Any]:
    """Rows of a named tuple from columns, at half the time of calling the class."""
    return map(tuple.__new__, repeat(kind), zip(*columns, strict=True))


def _assertions(rows: NDArray[np.int32]) -> tuple[Assertion, ...]:
    # Most entities share one of a few assertions without a cue: those exist once.
    assertions = list(map(_WITHOUT_CUE.__getitem__, (rows[:, :3] @ _CODE_OF).tolist()))
    cued = np.flatnonzero(rows[:, 3] >= 0)
    statuses, times, experiencers, starts, ends = rows[cued].T.tolist()
    names = (_STATUSES.__getitem__, statuses), (_TIMES.__getitem__, times), (_EXPERIENCERS.__getitem__, experiencers)
    made = _rows(Assertion, *(map(name, column) for name, column in names), starts, ends)
    for place, assertion in zip(cued.tolist(), made, strict=True):
        assertions[place] = assertion
    return tuple(assertions)


def _prescriptions(read: MeaningRows) -> list[Prescription | None]:
    prescriptions: list[Prescription | None] = [None] * len(read.assertions)
    rows = read.prescriptions
    if not len(rows):
        return prescriptions
    entities, forms, times, periods, units, whens, needed, durations, duration_units, routes, _ = rows.T.tolist()
    text = read.texts.decode("utf-8", "replace")
    strengths: list[str | None] = [None] * len(entities)
    doses = strengths.copy()
    lines = text.split("\n")
    for number, place in enumerate(np.flatnonzero(rows[:, 10]).tolist()):
        strengths[place], doses[place] = lines[2 * number] or None, lines[2 * number + 1] or None
    made = _rows(
        Prescription,
        map(_FORMS.__getitem__, forms),
        strengths,
        doses,
        map(_NUMBERS.__getitem__, times),
        map(_NUMBERS.__getitem__, periods),
        map(_UNITS.__getitem__, units),
        map(_WHENS.__getitem__, whens),
        map((None, True).__getitem__, needed),
        map(_NUMBERS.__getitem__, durations),
        map(_UNITS.__getitem__, duration_units),
        map(_ROUTES.__getitem__, routes),
    )
    for place, prescription in zip(entities, made, strict=True):
        prescriptions[place] = prescription
    return prescriptions


def read_result(result: MeaningResult, bounds: NDArray[np.int64]) -> list[NoteMeaning]:
    """Cut what was read by notes: `bounds` are where each note's entities begin."""
    whole = meanings(meaning_rows(result))
    relations = relations_of(whole.relation_rows)
    edges = np.searchsorted(whole.relation_rows[:, 0], np.arange(len(bounds))).tolist()
    starts = bounds.tolist()
    return list(
        starmap(
            lambda first, end, left, right: NoteMeaning(
                whole.assertions[first:end], tuple(whole.prescriptions[first:end]), relations[left:right]
            ),
            zip(starts, starts[1:], edges, edges[1:], strict=False),
        )
    )


class PrescriptionColumns(NamedTuple):
    """Prescriptions of a batch's entities as columns, one row an entity. What is not written is 0 and -1.

    Attributes:
        present: 0 where an entity has one, else -1.
        fields: By the names of `Prescription`: the number (`as_needed`: 1) or the place of the text in `base`, and 0 or its length.
        base: UTF-8.
    """

    present: NDArray[np.int64]
    fields: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]
    base: NDArray[np.uint8]


_TEXT_FIELDS = {"form": (1, _FORMS), "period_unit": (4, _UNITS), "when": (5, _WHENS)} | {
    "duration_unit": (8, _UNITS),
    "route": (9, _ROUTES),
}
_NUMBER_FIELDS = {"frequency": 2, "period": 3, "as_needed": 6, "duration": 7}
_NAMES = "".join(sorted({name for _, names in _TEXT_FIELDS.values() for name in names if name})).encode()


def _places(names: Sequence[str | None]) -> NDArray[np.int64]:
    """Where each name lies in `_NAMES`, and its length."""
    found = [(0, -1) if name is None else (_NAMES.index(name.encode()), len(name.encode())) for name in names]
    return np.array(found, np.int64).T.copy()


_PLACES = {field: (column, _places(names)) for field, (column, names) in _TEXT_FIELDS.items()}


def prescription_columns(read: MeaningRows) -> PrescriptionColumns:
    """The prescriptions of a native call; no Python object is made of an entity."""
    rows, count = read.prescriptions, len(read.assertions)
    entities = rows[:, 0]
    present = _spread(entities, np.zeros(len(rows), np.int64), count, -1)
    fields = {}
    for field, (column, places) in _PLACES.items():
        number = rows[:, column]
        fields[field] = _both(entities, places[0][number], places[1][number], count)
    for field, column in _NUMBER_FIELDS.items():
        stated = rows[:, column].astype(np.int64)
        fields[field] = _both(entities, stated, np.where(stated > 0, 0, -1), count)
    fields["strength"], fields["dose"] = _lines(read, count)
    return PrescriptionColumns(present, fields, np.frombuffer(_NAMES + read.texts, np.uint8))


def _lines(read: MeaningRows, count: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Strength and dose, by entity: places behind the names."""
    entities = read.prescriptions[read.prescriptions[:, 10] != 0, 0]
    ends = np.append(np.flatnonzero(np.frombuffer(read.texts, np.uint8) == ord("\n")), len(read.texts)).astype(np.int64)
    begins = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)
    sizes = np.where(ends > begins, ends - begins, -1)
    return [
        _both(entities, np.where(size > 0, begin + len(_NAMES), 0), size, count)
        for begin, size in (
            (begins[which : 2 * len(entities) : 2], sizes[which : 2 * len(entities) : 2]) for which in (0, 1)
        )
    ]


def _both(
    entities: NDArray[np.int32], first: NDArray[np.int64], second: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return _spread(entities, first, count, 0), _spread(entities, second, count, -1)


def _spread(entities: NDArray[np.int32], values: NDArray[np.int64], count: int, other: int) -> NDArray[np.int64]:
    spread = np.full(count, other, np.int64)
    spread[entities] = values
    return spread


def relation_confidences(rows: NDArray[np.int32], sure: NDArray[np.float64]) -> NDArray[np.float64]:
    """How sure relations are, when `sure` is how sure both ends of each are."""
    confidences: NDArray[np.float64] = _CONFIDENCES[rows[:, 4]] * sure
    return confidences


def _reordered(meaning: NoteMeaning, order: list[int]) -> NoteMeaning:
    if order == list(range(len(order))):
        return meaning
    places = np.argsort(order).tolist()
    return NoteMeaning(
        tuple(meaning.assertions[place] for place in places),
        tuple(meaning.prescriptions[place] for place in places),
        tuple(
            relation._replace(treatment=order[relation.treatment], disease=order[relation.disease])
            for relation in meaning.relations
        ),
    )


def copied(address: int | None, dtype: Any, rows: int, columns: int) -> NDArray[Any]:
    """Return a native array of shape (rows, columns) as a copy of its own."""
    size = np.dtype(dtype).itemsize * rows * columns
    raw = ctypes.string_at(address or 0, size) if size else b""
    return np.frombuffer(raw, dtype).reshape(rows, columns)
