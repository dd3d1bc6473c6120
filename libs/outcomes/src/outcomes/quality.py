"""How right the model is, from audited notes alone: a weighted ratio over notes, with an interval that holds what it says.

F1 is the ratio of 2 TP to 2 TP + FP + FN. Mentions of one note are not independent, so the note is the unit: the variance is the
linearised one of a ratio of weighted totals over notes. The interval is Wilson's on the effective sample size that this
variance implies, with Student's quantile for few notes; the symmetric interval undercovers near 1, where good models live. Where
audit rates differ, the few notes of a low rate carry most of the total: they, not all notes, say how much is known (Kish).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, log, sqrt

from annotations.spans import Span, spans_of
from contracts.identity import note_key
from contracts.records import AnnotationValidated, LabelQuality

from outcomes.statements import compare_statements

ALL = "ALL"
LABELS = ("DISEASE", "TREATMENT", ALL)
Z_95 = 1.959964
MIN_NOTES_FOR_BIAS = 20


@dataclass(frozen=True, slots=True)
class Counts:
    """Exact-span outcomes of one note and label."""

    right: int = 0
    wrong: int = 0
    missed: int = 0


_NONE = Counts()


@dataclass(frozen=True, slots=True)
class AuditedNote:
    """One audited note.

    Attributes:
        note: Its key, `source|note_id`.
        weight: 1 / inclusion probability.
        shown: Whether the person saw the predictions first.
        counts: By label, and by class of what is said where a person judged that (`outcomes.statements`).
    """

    note: str
    city: str
    version: str
    written_at: int
    weight: float
    shown: bool
    counts: Mapping[str, Counts]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A weighted ratio with its 95 % interval."""

    value: float
    low: float
    high: float


def count(predicted: frozenset[Span], right: frozenset[Span]) -> dict[str, Counts]:
    """Count per label and for all labels together."""
    found: dict[str, Counts] = {}
    for label in LABELS:
        said = {span for span in predicted if label in {ALL, span.label}}
        true = {span for span in right if label in {ALL, span.label}}
        found[label] = Counts(len(said & true), len(said - true), len(true - said))
    return found


def audited(annotation: AnnotationValidated) -> AuditedNote:
    """What the measure needs of an audit annotation; none of its text."""
    probability = annotation.inclusion_probability or 1.0
    return AuditedNote(
        note_key(annotation.source, annotation.note_id),
        annotation.segment.city,
        annotation.model.version if annotation.model else "",
        annotation.written_at,
        1.0 / probability,
        annotation.predictions_shown,
        count(frozenset(spans_of(annotation.predicted_entities)), frozenset(spans_of(annotation.entities)))
        | {name: Counts(*found) for name, found in compare_statements(annotation).items()},
    )


def ratio(above: Sequence[float], below: Sequence[float], weights: Sequence[float]) -> Ratio:
    """The ratio of weighted totals over notes. With nothing below, nothing is known: 0 within 0 and 1."""
    total = sum(w * b for w, b in zip(weights, below, strict=True))
    notes = sum(b > 0 for b in below)
    if total <= 0:
        return Ratio(0.0, 0.0, 1.0)
    value = sum(w * a for w, a in zip(weights, above, strict=True)) / total
    if notes < 2:
        return Ratio(value, 0.0, 1.0)
    # Leaving each note out in turn (jackknife): a long note pulls the ratio towards itself and hides its own residual.
    residuals = (w * (a - value * b) / (total - w * b) for w, a, b in zip(weights, above, below, strict=True) if b > 0)
    variance = notes / (notes - 1) * sum(residual * residual for residual in residuals)
    freedom = max(_kish([w * b for w, b in zip(weights, below, strict=True)]) - 1, 1.0)
    return Ratio(value, *_wilson(value, _effective(value, variance, weights, below), student(freedom)))


def _effective(value: float, variance: float, weights: Sequence[float], below: Sequence[float]) -> float:
    """The size of a simple sample that is as sure. Never more than the mentions, or than the notes when all were right."""
    if variance <= 0 or not 0 < value < 1:
        return _kish([w for w, b in zip(weights, below, strict=True) if b > 0])
    total, squares = (sum(w**power * b for w, b in zip(weights, below, strict=True)) for power in (1, 2))
    return max(1.0, min(value * (1 - value) / variance, total * total / squares))


def _kish(parts: Sequence[float]) -> float:
    """How many equal parts would say as much as these unequal ones."""
    return sum(parts) ** 2 / sum(part * part for part in parts)


def _wilson(value: float, size: float, quantile: float) -> tuple[float, float]:
    square = quantile * quantile / size
    middle = (value + square / 2) / (1 + square)
    half = quantile / (1 + square) * sqrt(value * (1 - value) / size + square / (4 * size))
    return max(0.0, min(middle - half, value)), min(1.0, max(middle + half, value))


def student(freedom: float) -> float:
    """Student's 97.5 % quantile by the Cornish-Fisher expansion; within 1 % from 4 degrees of freedom on."""
    z = Z_95
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def measure(notes: Sequence[AuditedNote]) -> tuple[LabelQuality, ...]:
    """Precision, recall and F1 per label, for all, and per class of what is said, weighted by inclusion probability."""
    said = sorted({name for note in notes for name in note.counts} - set(LABELS))
    return tuple(_of_label(label, notes) for label in (*LABELS, *said))


def _of_label(label: str, notes: Sequence[AuditedNote]) -> LabelQuality:
    counts = [note.counts.get(label, _NONE) for note in notes]
    weights = [note.weight for note in notes]
    right = [float(c.right) for c in counts]
    f1 = ratio([2 * r for r in right], [2.0 * c.right + c.wrong + c.missed for c in counts], weights)
    precision = ratio(right, [float(c.right + c.wrong) for c in counts], weights)
    recall = ratio(right, [float(c.right + c.missed) for c in counts], weights)
    return LabelQuality(
        label=label,
        precision=precision.value,
        precision_low=precision.low,
        precision_high=precision.high,
        recall=recall.value,
        recall_low=recall.low,
        recall_high=recall.high,
        f1=f1.value,
        f1_low=f1.low,
        f1_high=f1.high,
        support=sum(c.right + c.missed for c in counts),
    )


NOTHING_SAID = (0.0, 1.0)
"""The interval of one note, and of none with such a mention: all is possible."""


def is_known(row: LabelQuality, measure: str) -> bool:
    """Whether two notes or more say something of a measure ("precision", "recall", "f1")."""
    return (getattr(row, f"{measure}_low"), getattr(row, f"{measure}_high")) != NOTHING_SAID


def row_of(label: str, rows: Iterable[LabelQuality]) -> LabelQuality | None:
    """The row of a label, or of a class of what is said; None where nothing was audited of it."""
    return next((row for row in rows if row.label == label), None)


def of_both_labels(rows: Iterable[LabelQuality]) -> LabelQuality | None:
    """The row of both labels together; None before any audit."""
    return row_of(ALL, rows)


def unweighted(notes: Iterable[AuditedNote]) -> LabelQuality:
    """Both labels as if all notes had been drawn at one rate: how much notes scatter, whatever rates they came by."""
    return _of_label(ALL, [replace(note, weight=1.0) for note in notes])


def prefill_bias(notes: Sequence[AuditedNote]) -> float | None:
    """F1 of notes that were shown with predictions minus F1 of those shown without; None while either is too few."""
    shown = [note for note in notes if note.shown]
    blind = [note for note in notes if not note.shown]
    if min(len(shown), len(blind)) < MIN_NOTES_FOR_BIAS:
        return None
    return _of_label(ALL, shown).f1 - _of_label(ALL, blind).f1


@dataclass(frozen=True, slots=True)
class Expected:
    """What confidences alone promise: expected right, wrong and missed mentions."""

    right: float = 0.0
    wrong: float = 0.0
    missed: float = 0.0

    def plus(self, other: "Expected", sign: int = 1) -> "Expected":
        """The sum, or with sign -1 the difference."""
        return Expected(
            self.right + sign * other.right, self.wrong + sign * other.wrong, self.missed + sign * other.missed
        )

    @property
    def f1(self) -> float | None:
        """The F1 to expect; None before any mention."""
        below = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / below if below > 1e-9 else None


def expected(note_confidence: float, confidences: Sequence[float]) -> Expected:
    """What one note promises.

    A mention is right with its own probability. The note is right when all mentions are and none is missing, so what is left of
    the note's confidence after those of its mentions is the probability that nothing is missing; misses are taken as Poisson.
    """
    sure = exp(sum(log(max(c, 1e-6)) for c in confidences))
    nothing_missing = min(1.0, max(note_confidence, 1e-3) / max(sure, 1e-6))
    right = sum(confidences)
    return Expected(right, len(confidences) - right, -log(nothing_missing))
