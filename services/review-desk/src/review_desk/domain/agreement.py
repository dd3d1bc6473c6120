"""How far two validators agree: exact-span F1 and Cohen's kappa on tokens, for each label."""

from collections.abc import Iterable
from dataclasses import dataclass

from review_desk.domain.tasks import Word

LABELS = ("DISEASE", "TREATMENT")


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement on one label.

    Attributes:
        notes: Notes that two people labelled.
        f1: Exact-span F1, the same whoever is taken as right; None when neither marked anything.
        kappa: Cohen's kappa over tokens; None when chance alone explains everything.
    """

    label: str
    notes: int
    f1: float | None
    kappa: float | None


def agreement(pairs: Iterable[tuple[Word, Word]]) -> tuple[Agreement, ...]:
    """Agreement per label over notes that two people labelled."""
    seen = list(pairs)
    return tuple(Agreement(label, len(seen), _f1(seen, label), _kappa(seen, label)) for label in LABELS)


def _f1(pairs: list[tuple[Word, Word]], label: str) -> float | None:
    both = total = 0
    for first, second in pairs:
        one = {span for span in first.spans if span[2] == label}
        other = {span for span in second.spans if span[2] == label}
        both += len(one & other)
        total += len(one) + len(other)
    return 2 * both / total if total else None


def _kappa(pairs: list[tuple[Word, Word]], label: str) -> float | None:
    tokens = sum(first.tokens for first, _ in pairs)
    if not tokens:
        return None
    one = other = both = 0
    for first, second in pairs:
        marked = {at for at, name in first.labelled if name == label}
        also = {at for at, name in second.labelled if name == label}
        one, other, both = one + len(marked), other + len(also), both + len(marked & also)
    observed = (both + tokens - one - other + both) / tokens
    chance = (one * other + (tokens - one) * (tokens - other)) / tokens**2
    return None if chance == 1 else (observed - chance) / (1 - chance)
