"""What one annotation shows of the person who gave it, for the tests of `annotations.watch`."""

from math import prod

from annotations.spans import Span, spans_of
from annotations.verdicts import UNREADABLE
from annotations.watch import DecisionFigures, passes
from contracts.records import AnnotationValidated

from review_desk.domain.tasks import DeskVerdict

_EMPTIED, _STATED = "emptied", "restated"


def decision_of(event: AnnotationValidated, known: DeskVerdict | None) -> DecisionFigures:
    """What a decision shows.

    Where the predictions were not shown, whoever does not read leaves the note empty: the probability that empty is right stands in
    the place of the model's confidence, and what was drawn says nothing.

    Args:
        event: The annotation.
        known: The sure answer, of a hidden check; None for any other note.
    """
    given, predicted = frozenset(spans_of(event.entities)), frozenset(spans_of(event.predicted_entities))
    shown = predicted if event.predictions_shown else frozenset[Span]()
    empty_is_right = prod(1.0 - entity.confidence for entity in event.predicted_entities)
    likely = (1.0 if event.note_confidence is None else event.note_confidence) if event.predictions_shown else (
        1.0 if given else empty_is_right
    )  # fmt: skip
    passed = None if known is None else passes(given, frozenset(known.spans), shown)
    return DecisionFigures(
        at=event.annotated_at,
        seconds=event.seconds_spent,
        words=len(event.text.split()),
        confidence=likely,
        change=_change(event, given, shown),
        passed=passed,
    )


def _change(event: AnnotationValidated, given: frozenset[Span], shown: frozenset[Span]) -> str:
    """The kind of a change with where it lies: two notes that are read are hardly ever changed at one place in one way."""
    if event.outcome.value == UNREADABLE:
        return UNREADABLE
    if shown and not given:
        return _EMPTIED
    if not event.predictions_shown:
        return ""
    if given != shown:
        added = sorted(f"{span.label[0]}{span.start}" for span in given - shown)
        return f"{'+'.join(added)}-{len(shown - given)}"
    changes = event.changes
    if changes.restated or changes.represcribed or changes.related:
        return " ".join([_STATED, *(str(span.start) for span in sorted(given))])
    return ""
