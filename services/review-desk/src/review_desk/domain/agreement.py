"""How far two validators agree: exact-span F1 and Cohen's kappa on tokens, for each label."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from contracts.records import EntityLabel

from review_desk.domain.tasks import DeskVerdict

LABELS = (EntityLabel.DISEASE.value, EntityLabel.TREATMENT.value)
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


def agreement(pairs: Iterable[tuple[DeskVerdict, DeskVerdict]]) -> tuple[Agreement, ...]:
    """Agreement per label over notes that two people labelled."""
    seen = list(pairs)
    return tuple(Agreement(label, len(seen), _f1(seen, label), _kappa(seen, label)) for label in LABELS)


@dataclass(frozen=True, slots=True)
class StatedAgreement:
    """Agreement on what is stated of entities that both have.

    Attributes:
        kind: status, time, experiencer, relation or prescription.
        entities: Entities of which both state something; of relations, those that either has.
        same: The share of them of which both state the same; None when there are none.
        kappa: Cohen's kappa; None where it is not defined.
    """

    kind: str
    entities: int
    same: float | None
    kappa: float | None


def stated_agreement(pairs: Iterable[tuple[DeskVerdict, DeskVerdict]]) -> tuple[StatedAgreement, ...]:
    """Agreement on statuses, times, experiencers, relations and prescriptions over notes that two people labelled."""
    seen = list(pairs)
    answers: list[tuple[list[str], list[str]]] = []
    prescribed: list[tuple[str, str]] = []
    either = both = 0
    for first, second in seen:
        stated, also_stated = first.stated_by_span, second.stated_by_span
        shared = stated.keys() & also_stated.keys()
        answers += [(stated[span].split(), also_stated[span].split()) for span in shared]
        doses, also = (dict(zip(one.spans, one.prescribed, strict=False)) for one in (first, second))
        prescribed += [
            (doses[span], also[span])
            for span in shared
            if span.label == EntityLabel.TREATMENT.value and doses[span] + also[span]
        ]
        related, too = set(first.related), set(second.related)
        either, both = either + len(related | too), both + len(related & too)
    return (
        *(_of_kind(kind, [(one[at], other[at]) for one, other in answers]) for at, kind in enumerate(KINDS)),
        StatedAgreement("relation", either, both / either if either else None, None),
        StatedAgreement("prescription", len(prescribed), _same(prescribed), None),
    )


def _same(answers: list[tuple[str, str]]) -> float | None:
    return sum(one == other for one, other in answers) / len(answers) if answers else None


def _of_kind(kind: str, answers: list[tuple[str, str]]) -> StatedAgreement:
    observed, size = _same(answers), len(answers)
    if observed is None:
        return StatedAgreement(kind, 0, None, None)
    one, other = Counter(first for first, _ in answers), Counter(second for _, second in answers)
    chance = sum(one[name] * other[name] for name in one) / size**2
    return StatedAgreement(kind, size, observed, None if chance == 1 else (observed - chance) / (1 - chance))


def _f1(pairs: list[tuple[DeskVerdict, DeskVerdict]], label: str) -> float | None:
    both = total = 0
    for first, second in pairs:
        one = {span for span in first.spans if span.label == label}
        other = {span for span in second.spans if span.label == label}
        both += len(one & other)
        total += len(one) + len(other)
    return 2 * both / total if total else None


def _kappa(pairs: list[tuple[DeskVerdict, DeskVerdict]], label: str) -> float | None:
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
