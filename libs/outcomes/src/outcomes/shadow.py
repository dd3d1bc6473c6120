"""The shadow week: for a sample of notes, what clerks enter by hand and what the system found, each held against what validators settled.

Manual entry knows no offsets, so facts are compared as words: per note the label and the words in lower case, each as often as it stands.
Errors are facts that are missed and facts that are not so, for 1,000 true facts. Notes are the unit (facts of one note are not
independent): intervals are percentiles of a bootstrap over notes, and the difference resamples both ways together, so it is paired.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from contracts.records import Entity

from outcomes.facts import is_fact

RESAMPLES = 2_000
LEAST_NOTES = 10
"""Below, an interval says nothing."""

Fact = tuple[str, str]
"""Label and words."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One note of the sample, as numbers.

    Attributes:
        true: Facts that validators settled.
        by_hand: Errors of the clerk.
        by_system: Errors of model and rules.
        seconds: That the clerk took.
    """

    true: int
    by_hand: int
    by_system: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """What the week says.

    Attributes:
        by_hand: Errors for 1,000 facts of the clerks.
        by_system: The same of the system.
        difference: By hand minus by system; above 0 the system is better.
        minutes: Of a clerk for one note.
    """

    notes: int
    facts: int
    by_hand: Estimate
    by_system: Estimate
    difference: Estimate
    minutes: Estimate


def facts_of(entities: Iterable[Entity]) -> Counter[Fact]:
    """The facts among entities, as words."""
    return Counter((str(one.label), words(one.text)) for one in entities if is_fact(one))


def words(text: str) -> str:
    """Words as they are compared: lower case, one blank between.

    >>> words("  Type 2  DM ")
    'type 2 dm'
    """
    return " ".join(text.lower().split())


def errors(said: Counter[Fact], true: Counter[Fact]) -> int:
    """Facts that are missed, and those that are not so; a wrong word is one of each.

    >>> errors(Counter({("DISEASE", "dm"): 1}), Counter({("DISEASE", "htn"): 2}))
    3
    """
    return (true - said).total() + (said - true).total()


def report(notes: Sequence[Compared], seed: int = 7) -> ShadowReport:
    """Sum up a sample.

    Raises:
        ValueError: It has too few notes, or no fact at all.
    """
    if len(notes) < LEAST_NOTES or not any(one.true for one in notes):
        raise ValueError(
            f"{len(notes)} notes with {sum(one.true for one in notes)} facts: {LEAST_NOTES} notes at least"
        )
    chance = random.Random(seed)
    samples = [chance.choices(notes, k=len(notes)) for _ in range(RESAMPLES)]

    def estimate(of: Callable[[Sequence[Compared]], float]) -> Estimate:
        found = sorted(of(sample) for sample in samples)
        return Estimate(of(notes), found[int(0.025 * RESAMPLES)], found[int(0.975 * RESAMPLES) - 1])

    return ShadowReport(
        len(notes),
        sum(one.true for one in notes),
        by_hand=estimate(lambda rows: _rate(rows, [one.by_hand for one in rows])),
        by_system=estimate(lambda rows: _rate(rows, [one.by_system for one in rows])),
        difference=estimate(lambda rows: _rate(rows, [one.by_hand - one.by_system for one in rows])),
        minutes=estimate(lambda rows: fmean(one.seconds for one in rows) / 60),
    )


def _rate(rows: Sequence[Compared], wrong: Sequence[int]) -> float:
    return 1_000 * sum(wrong) / max(1, sum(one.true for one in rows))
