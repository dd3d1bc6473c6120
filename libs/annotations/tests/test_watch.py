"""Simulated annotators are told apart, with the error rates that `annotations.watch` states."""

import math
import random
from collections.abc import Callable, Iterator
from statistics import median

import pytest
from annotations.watch import FALSE_HOLD_PER_WEEK, WEEK_DECISIONS, DecisionFigures, Finding, bound, passes, watch
from contracts.records import TrustDoubt
from hypothesis import given, settings
from hypothesis import strategies as st

CHECK_EVERY = 0.1
AUDIT_EVERY = 1 / 3
RUNS = 200
WEEKS = 100
Person = Callable[[random.Random, float, int], tuple[bool, float, bool]]
"""From chance, the probability that nothing is to be changed, and the words: whether it is changed, seconds, whether a check is failed."""


def queue_at(chance: random.Random) -> float:
    """The model's confidence in a note of the desk's queue: every third is of the random audit, the others are unsure."""
    return chance.betavariate(9, 1) if chance.random() < AUDIT_EVERY else chance.uniform(0.05, 0.6)


def decisions(person: Person, chance: random.Random, count: int) -> Iterator[DecisionFigures]:
    at = 0
    for number in range(count):
        confidence, words = queue_at(chance), chance.randint(8, 60)
        changed, seconds, failed = person(chance, confidence, words)
        at += int(seconds * 1000) + chance.randint(200, 1500)
        passed = (not failed) if chance.random() < CHECK_EVERY else None
        change = "" if not changed else f"D{chance.randint(0, 120)}" if seconds else str(number)
        yield DecisionFigures(at, seconds, words, confidence, change, passed)


def honest(chance: random.Random, confidence: float, words: int) -> tuple[bool, float, bool]:
    """Reads, and overlooks one change in five. One glance in fifty is quicker than reading."""
    seconds = 2 + words / chance.uniform(2, 5) if chance.random() > 0.02 else 0.5
    return chance.random() < (1 - confidence) * 0.8, seconds, chance.random() < 0.12


def lax(chance: random.Random, confidence: float, words: int) -> tuple[bool, float, bool]:
    """At the bounds that are stated of an honest person, in everything at once."""
    seconds = 3 + words / 4 if chance.random() > 0.05 else 0.3
    return chance.random() < (1 - confidence) * 0.5, seconds, chance.random() < 0.25


def tired(chance: random.Random, confidence: float, words: int) -> tuple[bool, float, bool]:
    """Looks at a third of the notes and accepts the rest."""
    if chance.random() < 1 / 3:
        return honest(chance, confidence, words)
    return False, chance.uniform(0.8, 3), chance.random() < 0.8


def at_random(chance: random.Random, _confidence: float, _words: int) -> tuple[bool, float, bool]:
    """Marks anything, at a reader's pace."""
    return chance.random() < 0.6, chance.uniform(8, 25), chance.random() < 0.9


def stamp(chance: random.Random, _confidence: float, words: int) -> tuple[bool, float, bool]:
    """Accepts all, at a reader's pace: nothing but what it does gives it away."""
    return False, 2 + words / chance.uniform(2, 5), chance.random() < 0.85


def quick_stamp(chance: random.Random, _confidence: float, _words: int) -> tuple[bool, float, bool]:
    """The script that took 11,087 decisions in an hour."""
    return False, 0.325, chance.random() < 0.85


def found(person: Person, seed: int, count: int) -> Finding | None:
    return watch(decisions(person, random.Random(seed), count))


@pytest.mark.parametrize("person", [stamp, quick_stamp])
def test_a_rubber_stamp_is_caught_within_50_decisions_in_19_of_20_runs(person: Person) -> None:
    caught = sum(found(person, seed, 50) is not None for seed in range(RUNS))
    assert caught >= 0.95 * RUNS


@pytest.mark.slow
@pytest.mark.parametrize("person", [honest, lax])
def test_an_honest_person_is_held_up_in_at_most_1_of_20_weeks(person: Person) -> None:
    held = sum(found(person, seed, WEEK_DECISIONS) is not None for seed in range(WEEKS))
    assert held <= FALSE_HOLD_PER_WEEK * WEEKS


@pytest.mark.parametrize(("person", "within"), [(tired, 150), (at_random, 400)])
def test_who_hardly_reads_or_marks_anything_is_caught_too(person: Person, within: int) -> None:
    caught = [found(person, seed, 3 * within) for seed in range(60)]
    needed = sorted(one.decisions if one else 10_000 for one in caught)
    assert median(needed) <= within


def test_seconds_that_did_not_pass_are_not_believed() -> None:
    lied = [DecisionFigures(at=number * 325, seconds=20, words=40, confidence=1.0) for number in range(60)]
    finding = watch(lied)
    assert finding is not None
    assert finding.doubt is TrustDoubt.TOO_FAST
    offline = [DecisionFigures(at=3_600_000 + number, seconds=15, words=40) for number in range(40)]
    before = [DecisionFigures(at=number * 60_000, seconds=20, words=40) for number in range(30)]
    assert watch([*before, *[DecisionFigures(one.at + 3_600_000, 20, 40) for one in before]]) is None
    assert watch(offline) is not None  # 40 notes in no time, and nothing before that explains it


def test_one_answer_to_everything_is_caught_and_one_that_comes_back_is_not() -> None:
    same = [DecisionFigures(n * 20_000, 15, 30, 0.5, "emptied") for n in range(60)]
    finding = watch(same)
    assert finding is not None
    assert finding.doubt is TrustDoubt.ALWAYS_THE_SAME
    assert finding.since == same[1].at  # the first says nothing; what comes before is not held
    alike = [DecisionFigures(n * 20_000, 15, 30, 0.5, "D0" if n % 2 else f"D{n}") for n in range(400)]
    assert watch(alike) is None


def test_failed_checks_alone_are_enough_and_passed_ones_forgive_them() -> None:
    def checks(*passed: bool) -> list[DecisionFigures]:
        return [DecisionFigures(n * 20_000, 15, 30, 1.0, "", one) for n, one in enumerate(passed)]

    finding = watch(checks(*[False] * 15))
    assert finding is not None
    assert finding.doubt is TrustDoubt.FAILED_CHECKS
    assert watch(checks(*[True, True, False] * 100)) is None


def test_the_hold_begins_where_the_evidence_does() -> None:
    good = [DecisionFigures(n * 30_000, 20, 40, 0.3, f"D{n}") for n in range(100)]
    bad = [DecisionFigures(3_000_000 + n * 30_000, 20, 40, 0.3) for n in range(60)]
    finding = watch([*good, *bad])
    assert finding is not None
    assert finding.since == bad[0].at


def test_the_bounds_are_those_of_the_stated_error() -> None:
    errors = [
        (150 if doubt is TrustDoubt.FAILED_CHECKS else WEEK_DECISIONS) * math.exp(-bound(doubt))
        for doubt in (TrustDoubt.FAILED_CHECKS, TrustDoubt.TOO_FAST, TrustDoubt.NEVER_CHANGES, TrustDoubt.ALWAYS_THE_SAME)
    ]  # fmt: skip
    assert sum(errors) == pytest.approx(FALSE_HOLD_PER_WEEK)


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_the_order_in_which_decisions_come_changes_nothing(seed: int, chance: random.Random) -> None:
    taken = list(decisions(stamp, random.Random(seed), 60))
    assert watch(taken) == watch(chance.sample(taken, len(taken)))


def test_an_answer_passes_when_it_mends_what_was_wrong() -> None:
    known, wrong = frozenset({1, 2}), frozenset({1})
    assert passes(known, known, wrong)
    assert not passes(wrong, known, wrong)
    assert passes(known, known, known)
    assert not passes(wrong, known, known)
    assert not passes(frozenset(), known, frozenset())
