"""Scores the rules against annotated meanings: statuses, times, experiencers, relations, prescription attributes.

The entities are given, so that a tagger's faults do not hide the rules'. What a note does not annotate is not scored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from clinical_ner.evaluate import Counts
from clinical_ner.meaning import (
    UNJUDGED,
    Assertion,
    Experiencer,
    NoteMeaning,
    Prescription,
    Reader,
    RelationType,
    Status,
    Time,
)
from clinical_ner.notes import NOT_ANNOTATED, Label

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clinical_ner.notes import AnnotatedNote
    from clinical_ner.phrases import Tables
    from clinical_ner.predictions import Mention, Prediction

ASSERTION_FIELDS = ("status", "time", "experiencer")
CLASSES: Mapping[str, tuple[str, ...]] = {
    "status": tuple(str(each) for each in Status),
    "time": tuple(str(each) for each in Time),
    "experiencer": tuple(str(each) for each in Experiencer),
    "negation": ("NEGATED",),
    "relation": tuple(str(each) for each in RelationType),
    "attribute": Prescription._fields,
}
"""The classes that figures are given for, by group; a class that nobody annotated or found has none."""

DAILY_UNITS = "max_units_a_day"
"""What a note's `meta` calls the largest number of units a day that its directions allow."""

_BATCH_NOTES = 256
_DAYS = {"h": 1 / 24, "d": 1, "wk": 7, "mo": 30}
_UNITS_TOLERANCE = 0.02
Class = tuple[str, str]


class Share(NamedTuple):
    """How many of `total` are right."""

    right: int
    total: int


class NoteOutcome(NamedTuple):
    """What was right in one note: counts by (group, class), and shares by name.

    Two outcomes of one note, of two sets of tables, can be compared as a pair.
    """

    counts: Mapping[Class, Counts]
    shares: Mapping[str, Share]


def score_meaning(notes: Sequence[AnnotatedNote], tables: Tables | None = None) -> dict[str, Any]:
    """Return the figures of these tables (the shipped ones if None) on the annotated notes: see `figures`."""
    return figures(outcomes(notes, tables))


def outcomes(notes: Sequence[AnnotatedNote], tables: Tables | None = None) -> list[NoteOutcome]:
    """Return what the rules got right in each note, in order; TableInvalid if the tables cannot be used."""
    reader = Reader(tables)
    found: list[NoteOutcome] = []
    for start in range(0, len(notes), _BATCH_NOTES):
        batch = notes[start : start + _BATCH_NOTES]
        read = reader.read([note.text for note in batch], [note.spans for note in batch])
        found += [outcome(note, meaning) for note, meaning in zip(batch, read, strict=True)]
    return found


def figures(found: Iterable[NoteOutcome]) -> dict[str, Any]:
    """Return the figures of many notes.

    Returns:
        `classes`: by group (status, time, experiencer, negation, relation, attribute) and class the precision, recall, f1,
        support (gold), predicted and right. `shares`: by name the part that is right and of how many: `status`, `time`,
        `experiencer` of the annotated spans; `assertion` (all that is annotated of a span); `relations` (notes with a
        treatment and a disease whose relations are all right and no other); `attributes` (of all that were written or
        found); `prescription_lines` (notes whose attributes are all right); `daily_units` (directions
        whose largest number of units a day was read). `treats_wrong`: relations of type TREATS that
        were found and are not there. What nobody annotated is left out.
    """
    counts: dict[Class, Counts] = {}
    shares: dict[str, Share] = {}
    for one in found:
        for name, add in one.counts.items():
            total = counts.setdefault(name, Counts())
            total.right, total.predicted, total.gold = (
                total.right + add.right,
                total.predicted + add.predicted,
                total.gold + add.gold,
            )
        for key, share in one.shares.items():
            before = shares.get(key, Share(0, 0))
            shares[key] = Share(before.right + share.right, before.total + share.total)
    classes = {
        group: {
            name: {
                **counts[group, name].scores(),
                "predicted": counts[group, name].predicted,
                "right": counts[group, name].right,
            }
            for name in names
            if (group, name) in counts
        }
        for group, names in CLASSES.items()
    }
    result: dict[str, Any] = {
        "classes": {group: rows for group, rows in classes.items() if rows},
        "shares": {
            name: {"share": one.right / one.total, "of": one.total} for name, one in shares.items() if one.total
        },
    }
    if "relations" in shares:
        treats = counts.get(("relation", "TREATS"), Counts())
        result["treats_wrong"] = treats.predicted - treats.right
    return result


def annotated(notes: Iterable[AnnotatedNote]) -> bool:
    """Whether any note says what is stated of its spans."""
    return any(
        note.relations is not None or DAILY_UNITS in note.meta or any(each != NOT_ANNOTATED for each in note.meanings)
        for note in notes
    )


def outcome(note: AnnotatedNote, read: NoteMeaning) -> NoteOutcome:
    """Compare what was read of a note with its gold."""
    tally = _Tally()
    lines = []
    for place, gold in enumerate(note.meanings):
        assertion = read.assertions[place]
        wanted = {name: value for name in ASSERTION_FIELDS if (value := getattr(gold, name)) is not None}
        for name, value in wanted.items():
            tally.compare(name, {value}, {str(getattr(assertion, name))})
            tally.share(name, value == getattr(assertion, name))
        if wanted:
            tally.share("assertion", all(getattr(assertion, name) == value for name, value in wanted.items()))
        if gold.negated is not None:
            tally.compare("negation", {"NEGATED"} if gold.negated else set(), {"NEGATED"} & {str(assertion.status)})
        if gold.prescription is not None:
            lines.append(tally.attributes(gold.prescription, read.prescriptions[place]))
    if lines:
        tally.share("prescription_lines", all(lines))
    if note.relations is not None:
        tally.relations(note, read)
    if DAILY_UNITS in note.meta and read.prescriptions:
        units = daily_units(read.prescriptions[0])
        tally.share("daily_units", units is not None and abs(units - float(note.meta[DAILY_UNITS])) < _UNITS_TOLERANCE)
    return NoteOutcome(tally.counts, tally.shares)


def daily_units(found: Prescription | None) -> float | None:
    """Return the largest number of units a day that a prescription allows, one where no dose is written; None if unclear."""
    if found is None or found.frequency is None or found.period is None or found.period_unit is None:
        return None
    dose = float(found.dose.split()[0].rpartition("-")[2]) if found.dose else 1.0
    return dose * found.frequency / (found.period * _DAYS[found.period_unit])


def _assertion(mention: Mention) -> Assertion:
    return getattr(mention, "assertion", UNJUDGED)


def score_own_entities(notes: Sequence[AnnotatedNote], predicted: Sequence[Prediction]) -> dict[str, Any]:
    """Return what becomes of annotated spans in a tagger's own entities; UNKNOWN where those carry no assertion.

    Returns:
        `found`: annotated spans that some entity of the same label touches, of how many. `status`, `time`, `experiencer`: the part of
        the found ones that is right, by the entity that covers most. `negated_as_present` and `affirmed_as_negated`:
        how many spans some entity that touches them calls so, of how many negated and affirmed ones.
    """
    shares: dict[str, list[int]] = {}

    def count(name: str, right: object) -> None:
        share = shares.setdefault(name, [0, 0])
        share[0], share[1] = share[0] + bool(right), share[1] + 1

    for note, prediction in zip(notes, predicted, strict=True):
        for span, gold in zip(note.spans, note.meanings, strict=bool(note.meanings)):
            negated = gold.negated if gold.status is None else gold.status == Status.NEGATED
            if negated is None:
                continue
            touching = [
                each
                for each in prediction.mentions
                if each.start < span.end and span.start < each.end and each.label == span.label
            ]
            count("found", touching)
            statuses = {str(_assertion(each).status) for each in touching}
            count(
                "negated_as_present" if negated else "affirmed_as_negated",
                ("PRESENT" if negated else "NEGATED") in statuses,
            )
            if not touching:
                continue
            best = max(touching, key=lambda each: min(each.end, span.end) - max(each.start, span.start))
            for name in ASSERTION_FIELDS:
                if (wanted := getattr(gold, name)) is not None:
                    count(name, getattr(_assertion(best), name) == wanted)
    return {
        name: {"count": right, "of": total} if "_as_" in name else {"share": right / total, "of": total}
        for name, (right, total) in shares.items()
    }


class _Tally:
    """Counts of one note on their way."""

    def __init__(self) -> None:
        self.counts: dict[Class, Counts] = {}
        self.shares: dict[str, Share] = {}

    def share(self, name: str, right: object) -> None:
        before = self.shares.get(name, Share(0, 0))
        self.shares[name] = Share(before.right + bool(right), before.total + 1)

    def compare(self, group: str, gold: set[str], found: set[str]) -> None:
        for name in gold | found:
            self.count(
                group, name, gold=int(name in gold), predicted=int(name in found), right=int(name in gold & found)
            )

    def count(self, group: str, name: str, *, gold: int, predicted: int, right: int) -> None:
        counts = self.counts.setdefault((group, name), Counts())
        counts.gold, counts.predicted, counts.right = (
            counts.gold + gold,
            counts.predicted + predicted,
            counts.right + right,
        )

    def attributes(self, gold: Mapping[str, Any], found: Prescription | None) -> bool:
        read = {} if found is None else {name: value for name, value in found._asdict().items() if value is not None}
        for name in gold.keys() | read.keys():
            same = name in gold and name in read and gold[name] == read[name]
            self.count("attribute", name, gold=int(name in gold), predicted=int(name in read), right=int(same))
            self.share("attributes", same)
        return dict(gold) == read

    def relations(self, note: AnnotatedNote, read: NoteMeaning) -> None:
        gold = set(note.relations or ())
        found = {(str(each.type), each.treatment, each.disease) for each in read.relations}
        for kind, treatment, disease in gold | found:
            one = (kind, treatment, disease)
            self.count(
                "relation", kind, gold=int(one in gold), predicted=int(one in found), right=int(one in gold & found)
            )
        if {span.label for span in note.spans} == set(Label):
            self.share("relations", gold == found)
