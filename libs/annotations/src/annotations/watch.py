"""Whether a person still reads: four sequential tests of what annotators decide, with stated error rates.

Each test weighs every decision by how much likelier it is of somebody who does not read than of an honest person (a log likelihood
ratio), adds the weights up, begins anew where the sum falls below zero, and fires where it reaches a bound (a CUSUM: Page, "Continuous
inspection schemes", Biometrika 41, 1954). From whichever decision a sum is begun, the likelihood ratio of an honest person is a
supermartingale, so it ever reaches exp(h) with a probability of at most exp(-h) (Ville's inequality). A week has at most
`WEEK_DECISIONS` beginnings, so with h = log(beginnings / error) an honest person is held by a test in a week with at most that error.
The four errors sum to `FALSE_HOLD_PER_WEEK`.

How an honest person behaves is stated as a bound, not as a value: whoever is more careful than the bound is held less often.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from contracts.records import TrustDoubt

FALSE_HOLD_PER_WEEK = 0.05
"""Most often that an honest person is held, in weeks of at most `WEEK_DECISIONS` decisions."""
WEEK_DECISIONS = 1_500
WEEK_CHECKS = 150
"""Hidden checks of such a week at a rate of one in ten."""
_ERRORS = {
    TrustDoubt.NEVER_CHANGES: 0.03,
    TrustDoubt.FAILED_CHECKS: 0.02 / 3,
    TrustDoubt.TOO_FAST: 0.02 / 3,
    TrustDoubt.ALWAYS_THE_SAME: 0.02 / 3,
}
"""The share of it that each test may take: most goes to the one that needs it to be quick."""

MISSED_CHECKS = (0.25, 0.75)
"""Share of hidden checks failed: at most of an honest person, and of somebody who does not read."""
CHANGES_OWED = (0.5, 0.02)
"""Share of the changes that the model's own doubt promises: at least made by an honest person, and by a rubber stamp."""
TOO_FAST = (0.05, 0.5)
"""Share of decisions faster than the words can be read: at most of an honest person, and of somebody who does not read."""
SAME_CHANGE = (0.6, 0.97)
"""Share of changes of the kind of the one before: at most of an honest person, and of somebody who always does the same."""
FASTEST_WORDS_PER_S = 10.0
"""Nobody reads faster (600 words a minute); a note cannot be looked at and decided in less than `FASTEST_S` either."""
FASTEST_S = 0.8
_WITHIN = 20
_SLACK_S = 120.0
_MOST_SURE = 0.999


@dataclass(frozen=True, slots=True)
class DecisionFigures:
    """What one decision shows of the person who took it. No text.

    Attributes:
        at: When it was taken, UTC milliseconds.
        seconds: From showing the note to the decision, as the page counted them.
        words: Of the note.
        confidence: The model's probability that nothing is to be changed; 1 where nothing was shown or nothing is known.
        change: What kind of change it is, in any words; "" for what was left as it was.
        passed: Whether a hidden check was passed; None where it was none.
    """

    at: int
    seconds: float
    words: int
    confidence: float = 1.0
    change: str = ""
    passed: bool | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A test that fired.

    Attributes:
        doubt: Which.
        since: The first decision that counts against the person, UTC milliseconds.
        at: The decision at which it fired.
        decisions: From the first to that one.
    """

    doubt: TrustDoubt
    since: int
    at: int
    decisions: int


def watch(decisions: Iterable[DecisionFigures]) -> Finding | None:
    """The first finding in a person's decisions, in the order in which they were taken; None: nothing speaks against them.

    >>> stamp = [DecisionFigures(at=n * 1000, seconds=0.3, words=30) for n in range(50)]
    >>> watch(stamp).doubt.value
    'TOO_FAST'
    >>> watch([DecisionFigures(at=n * 20_000, seconds=20, words=30, confidence=0.9) for n in range(20)]) is None
    True
    """
    taken = sorted(decisions, key=lambda one: one.at)
    found = [finding for doubt, weights in _tests(taken) if (finding := _cusum(doubt, taken, weights)) is not None]
    return min(found, key=lambda one: (one.at, one.doubt.value), default=None)


def _tests(taken: Sequence[DecisionFigures]) -> Iterator[tuple[TrustDoubt, Sequence[float]]]:
    yield TrustDoubt.FAILED_CHECKS, [_of_check(one) for one in taken]
    yield TrustDoubt.TOO_FAST, [_weight(one, TOO_FAST) for one in _fast(taken)]
    yield TrustDoubt.NEVER_CHANGES, [_of_change(one) for one in taken]
    yield TrustDoubt.ALWAYS_THE_SAME, _same(taken)


def bound(doubt: TrustDoubt) -> float:
    """The sum at which a test fires."""
    return math.log((WEEK_CHECKS if doubt is TrustDoubt.FAILED_CHECKS else WEEK_DECISIONS) / _ERRORS[doubt])


def _cusum(doubt: TrustDoubt, taken: Sequence[DecisionFigures], weights: Sequence[float]) -> Finding | None:
    limit, total, first = bound(doubt), 0.0, 0
    for place, weight in enumerate(weights):
        if total <= 0:
            total, first = 0.0, place
        total += weight
        if total >= limit:
            return Finding(doubt, taken[first].at, taken[place].at, place - first + 1)
    return None


def _weight(happened: bool, shares: tuple[float, float]) -> float:  # noqa: FBT001 - the one thing that is asked
    honest, not_reading = shares
    return math.log(not_reading / honest) if happened else math.log((1 - not_reading) / (1 - honest))


def _of_check(decision: DecisionFigures) -> float:
    return 0.0 if decision.passed is None else _weight(not decision.passed, MISSED_CHECKS)


def _of_change(decision: DecisionFigures) -> float:
    """A note of confidence c is owed a change with probability 1 - c."""
    doubt = 1.0 - min(max(decision.confidence, 0.0), _MOST_SURE)
    honest, stamp = (share * doubt for share in CHANGES_OWED)
    return math.log(stamp / honest) if decision.change else math.log((1 - stamp) / (1 - honest))


def _fast(taken: Sequence[DecisionFigures]) -> Iterator[bool]:
    """Which decisions were faster than reading.

    Seconds are what a client says. Where those of the last decisions sum to more than twice the time that passed, they are not
    believed, and each is given its share of what passed.
    """
    said_s = list(accumulate((one.seconds for one in taken), initial=0.0))
    for place, decision in enumerate(taken):
        first = max(0, place - _WITHIN + 1)
        passed_s = (decision.at - taken[first].at) / 1000
        believed = said_s[place + 1] - said_s[first + 1] <= 2 * passed_s + _SLACK_S
        seconds = decision.seconds if believed else passed_s / (place - first)
        yield seconds < max(FASTEST_S, decision.words / FASTEST_WORDS_PER_S)


def _same(taken: Sequence[DecisionFigures]) -> list[float]:
    """Weights of changes by the change before; what was left as it was says nothing here."""
    weights = dict.fromkeys(range(len(taken)), 0.0)
    changed = [(place, one.change) for place, one in enumerate(taken) if one.change]
    for (_, before), (place, change) in pairwise(changed):
        weights[place] = _weight(change == before, SAME_CHANGE)
    return list(weights.values())


def passes(answered: frozenset[object], known: frozenset[object], shown: frozenset[object]) -> bool:
    """Whether an answer to a hidden check is that of somebody who reads: nearer to what is known than what was shown, or as right as that.

    Not that it is the same: honest people differ by an entity now and then.

    >>> known, shown = frozenset({1, 2}), frozenset({1, 3})
    >>> [passes(frozenset({1, 2}), known, shown), passes(frozenset({1}), known, shown), passes(shown, known, shown)]
    [True, True, False]
    >>> passes(frozenset(), frozenset({1}), frozenset({1}))
    False
    """
    wrong, before = len(answered ^ known), len(shown ^ known)
    return wrong < before or wrong == 0
