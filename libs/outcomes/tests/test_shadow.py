"""The shadow week's numbers."""

import random
from collections import Counter

import pytest
from contracts.records import (
    Assertion,
    AssertionStatus,
    AssertionTime,
    Entity,
    EntityLabel,
    Experiencer,
)
from outcomes.shadow import Compared, errors, facts_of, report


def mark(text: str, status: AssertionStatus = AssertionStatus.PRESENT) -> Entity:
    said = Assertion(
        status=status, time=AssertionTime.CURRENT, experiencer=Experiencer.PATIENT, cue_start=-1, cue_end=-1
    )
    return Entity(entity_id="e", label=EntityLabel.DISEASE, text=text, start=0, end=1, confidence=1.0, assertion=said)


def test_facts_alone_count_in_whatever_case():
    found = facts_of([mark("T2 DM"), mark("t2  dm"), mark("HTN", AssertionStatus.NEGATED)])
    assert found == Counter({("DISEASE", "t2 dm"): 2})


@pytest.mark.parametrize(
    ("said", "true", "wrong"),
    [
        ({}, {"a": 1}, 1),
        ({"a": 1}, {}, 1),
        ({"a": 2}, {"a": 1}, 1),
        ({"a": 1, "b": 1}, {"a": 1, "c": 1}, 2),
        ({"a": 1}, {"a": 1}, 0),
    ],
)
def test_what_is_missed_and_what_is_not_so_are_errors(said, true, wrong):
    as_facts = [Counter({("DISEASE", name): times for name, times in one.items()}) for one in (said, true)]
    assert errors(*as_facts) == wrong


def test_a_known_difference_is_found_and_its_interval_is_paired():
    """Notes differ much from each other, the two ways on one note hardly: the difference is known better than either."""
    chance = random.Random(1)
    notes = []
    for _ in range(80):
        hard = chance.randrange(0, 6)
        notes.append(Compared(10, hard + 1, hard, 60.0 + hard))
    found = report(notes)
    assert found.difference.value == pytest.approx(100)
    assert found.difference.low == found.difference.high == pytest.approx(100)
    assert found.by_hand.high - found.by_hand.low > 50
    assert found.by_hand.low < found.by_hand.value < found.by_hand.high
    assert 1 < found.minutes.value < 1.1
    assert report(notes) == found, "the same seed, the same interval"


@pytest.mark.slow
def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    chance, held = random.Random(3), 0
    for _ in range(60):
        notes = [Compared(10, sum(chance.random() < 0.1 for _ in range(10)), 0, 1.0) for _ in range(40)]
        found = report(notes, seed=chance.randrange(10_000)).by_hand
        held += found.low <= 100 <= found.high
    assert held >= 50


def test_too_few_notes_say_nothing():
    with pytest.raises(ValueError, match="10 notes at least"):
        report([Compared(1, 0, 0, 1.0)] * 9)
    with pytest.raises(ValueError, match="0 facts"):
        report([Compared(0, 0, 0, 1.0)] * 20)
