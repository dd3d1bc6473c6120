"""How far two validators agree: exact-span F1 and Cohen's kappa on tokens, for each label."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from review_desk.domain.tasks import Word

LABELS = ("DISEASE", "TREATMENT")
KINDS = ("status", "time", "experiencer")


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


@dataclass(frozen=True, slots=True)
class SaidAgreement:
    """Agreement on what is said of entities that both have.

    Attributes:
        kind: status, time, experiencer, relation or prescription.
        entities: Entities of which both say something; of relations, those that either has.
        same: The share of them of which both say the same; None when there are none.
        kappa: Cohen's kappa; None where it is not defined.
    """

    kind: str
    entities: int
    same: float | None
    kappa: float | None


def said_agreement(pairs: Iterable[tuple[Word, Word]]) -> tuple[SaidAgreement, ...]:
    """Agreement on statuses, times, experiencers, relations and prescriptions over notes that two people labelled."""
    seen = list(pairs)
    answers: list[tuple[list[str], list[str]]] = []
    prescribed: list[tuple[str, str]] = []
    either = both = 0
    for first, second in seen:
        one, other = first.stated_by_span, second.stated_by_span
        shared = one.keys() & other.keys()
        answers += [(one[span].split(), other[span].split()) for span in shared]
        doses, also = (dict(zip(word.spans, word.prescribed, strict=False)) for word in (first, second))
        prescribed += [
            (doses[span], also[span]) for span in shared if span[2] == "TREATMENT" and doses[span] + also[span]
        ]
        related, too = set(first.related), set(second.related)
        either, both = either + len(related | too), both + len(related & too)
    return (
        *(_said(kind, [(one[at], other[at]) for one, other in answers]) for at, kind in enumerate(KINDS)),
        SaidAgreement("relation", either, both / either if either else None, None),
        SaidAgreement("prescription", len(prescribed), _same(prescribed), None),
    )


def _same(answers: list[tuple[str, str]]) -> float | None:
    return sum(one == other for one, other in answers) / len(answers) if answers else None


def _said(kind: str, answers: list[tuple[str, str]]) -> SaidAgreement:
    observed, size = _same(answers), len(answers)
    if observed is None:
        return SaidAgreement(kind, 0, None, None)
    one, other = Counter(first for first, _ in answers), Counter(second for _, second in answers)
    chance = sum(one[name] * other[name] for name in one) / size**2
    return SaidAgreement(kind, size, observed, None if chance == 1 else (observed - chance) / (1 - chance))


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
