"""Compares two models on the same notes: differences with intervals, names seen or new, and what changed, one by one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from clinical_ner.bootstrap import MICRO, paired_differences
from clinical_ner.errors import Error, Kind, errors
from clinical_ner.evaluate import LABELS, score, span_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from clinical_ner.bootstrap import Difference
    from clinical_ner.notes import AnnotatedNote
    from clinical_ner.predictions import Prediction


@dataclass(frozen=True, slots=True)
class Contender:
    """One of the two models: its name, what it predicted, and the hashes of the mention strings it was trained on."""

    name: str
    predicted: Sequence[Prediction]
    training_mentions: NDArray[np.uint64] | None = None


def compare(
    notes: Sequence[AnnotatedNote], first: Contender, second: Contender, seed: int = 0, resamples: int = 2_000
) -> dict[str, Any]:
    """Return scores of both, the paired difference (second minus first) per label, and the entities that changed.

    `seen` and `unseen` compare on the names that the *first* model was trained on, so that both are judged on the same
    entities; each model's own view stands in `scores`.
    """
    differences = paired_differences(notes, first.predicted, second.predicted, seed, resamples)
    common = first.training_mentions
    views = [score(notes, contender.predicted, common) for contender in (first, second)]
    return {
        "notes": len(notes),
        "models": [contender.name for contender in (first, second)],
        "scores": [score(notes, contender.predicted, contender.training_mentions) for contender in (first, second)],
        "exact_span_f1": {
            name: asdict(differences[name]) if name in differences else None for name in (MICRO, *map(str, LABELS))
        },
        "seen": [view["seen"] for view in views],
        "unseen": [view["unseen"] for view in views],
        "changes": changes(notes, first.predicted, second.predicted),
        "verdict": verdict(differences),
    }


def changes(
    notes: Sequence[AnnotatedNote], first: Sequence[Prediction], second: Sequence[Prediction]
) -> dict[str, Any]:
    """Return the entities that only the second got right (`fixed`), only the first (`broken`), or neither (`both_wrong`)."""
    first_wrong, second_wrong = errors(notes, first), errors(notes, second)
    first_places, second_places = set(map(_place, first_wrong)), set(map(_place, second_wrong))
    return {
        "fixed": [_row(error) for error in first_wrong if _place(error) not in second_places],
        "broken": [_row(error) for error in second_wrong if _place(error) not in first_places],
        "both_wrong": [_row(error) for error in second_wrong if _place(error) in first_places],
        "notes_changed": sum(
            span_keys(left.mentions) != span_keys(right.mentions) for left, right in zip(first, second, strict=True)
        ),
    }


def verdict(differences: dict[str, Difference]) -> str:
    """Say in one sentence what the intervals allow to say."""
    parts = []
    missing = [str(label) for label in LABELS if str(label) not in differences]
    if missing == [str(label) for label in LABELS]:
        return "Nothing is annotated in these notes: they judge no model."
    for name, found in differences.items():
        gain = found.difference
        sure = "better" if gain.low > 0 else "worse" if gain.high < 0 else "no clear difference"
        label = _all(missing) if name == MICRO else name
        parts.append(
            f"{label}: {sure} ({gain.value * 100:+.1f} points, 95 % {gain.low * 100:+.1f} to {gain.high * 100:+.1f})"
        )
    parts += [f"{name}: -, not annotated in these notes" for name in missing]
    return "The second model against the first. " + "; ".join(parts) + "."


def _all(missing: Sequence[str]) -> str:
    return f"all labels but {' and '.join(missing)}" if missing else "all labels"


def _place(error: Error) -> tuple[int, str, int, int, bool]:
    return (error.index, error.label, error.start, error.end, error.kind is Kind.SPURIOUS)


def _row(error: Error) -> dict[str, Any]:
    row = asdict(error)
    del row["index"]
    return row
