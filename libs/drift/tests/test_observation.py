"""What a record's sums say, whoever wrote it."""

import math
import random
import re
from typing import NamedTuple

import numpy as np
import pytest
from contracts import files
from contracts.records import ModelRef, StatisticsObserved, StatisticSum
from drift import observation
from drift.blocks import OpenBlock
from drift.config import DriftConfig
from drift.observation import NO_SUMS, STATISTICS, Observation, in_order, observe, sums_of
from drift.state import dump


def by_name(record, sums):
    """The same record as it was written before it had `sums`."""
    names = zip(STATISTICS, zip(sums[::3], sums[1::3], sums[2::3], strict=True), strict=True)
    statistics = tuple(StatisticSum(name=n, count=c, sum=s, sum_of_squares=q) for n, (c, s, q) in names if c)
    fields = {name: getattr(record, name) for name in StatisticsObserved.__slots__}
    return StatisticsObserved(**{**fields, "statistics": statistics, "sums": ()})


def test_the_contract_names_the_statistics_in_our_order():
    (field,) = (one for one in files.record_schema("StatisticsObserved")["fields"] if one["name"] == "sums")
    assert f"in this order: {', '.join(STATISTICS)}." in re.sub(r" \([^)]*\)", "", field["doc"])


def test_records_from_before_the_sums_mean_the_same(streams):
    columns = {name: streams.values(1, 4_000, name=name, at=2_000, shift=0.2) for name in ("oov_share", "tokens")}
    watchers = [streams.watcher() for _ in range(3)]
    found = [[], [], []]
    for offset, record in enumerate(streams.records(columns)):
        before = by_name(record, record.sums)
        assert tuple(sums_of(before)) == record.sums
        for number, one in enumerate((record, before, (record, before)[offset % 2])):
            found[number] += watchers[number].apply(offset, one).detected
    assert found[0]
    assert found[0] == found[1] == found[2]
    assert len({dump(watcher) for watcher in watchers}) == 1


def test_what_a_newer_or_older_extractor_adds_or_lacks_changes_nothing_else(streams):
    record = streams.record(0, {"tokens": np.full(20, 30.0), STATISTICS[-1]: np.full(4, 0.5)})
    fields = {name: getattr(record, name) for name in StatisticsObserved.__slots__}
    more = StatisticsObserved(**{**fields, "sums": (*record.sums, 20.0, 1.0, 1.0, 3.0)})
    fewer = StatisticsObserved(**{**fields, "sums": record.sums[:-3]})
    assert sums_of(more) == record.sums
    assert sums_of(fewer) == in_order({"tokens": record.sums[:3]})


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_statistic_that_is_no_number_is_left_out(streams, bad, at):
    record = streams.record(0, {"tokens": np.full(25, 30.0), "oov_share": np.full(25, 0.1)})
    sums = list(record.sums)
    sums[3 * STATISTICS.index("oov_share") + at] = bad
    fields = {name: getattr(record, name) for name in StatisticsObserved.__slots__}
    broken = StatisticsObserved(**{**fields, "sums": tuple(sums)})
    for one in (broken, by_name(record, sums)):
        block = OpenBlock()
        block.add(one)
        assert block.is_full(DriftConfig())
        assert block.close().means == {"tokens": 30.0}
        assert block.sums == list(NO_SUMS)


class Place(NamedTuple):
    city: str
    specialty: str
    written_at: int
    accepted_at: int


class Numbers(NamedTuple):
    tokens: int
    oov_tokens: int
    chars: int
    unknown_chars: int
    disease_entities: int
    treatment_entities: int
    disease_tokens: int
    treatment_tokens: int
    negated_entities: int
    uncertain_entities: int
    confidence: float


@pytest.mark.parametrize("most", [1, 25])
@pytest.mark.parametrize("seed", range(5))
def test_one_or_two_notes_are_summed_up_as_many_are(seed, most, monkeypatch):
    rng = random.Random(seed)
    observed = [
        Observation(
            7 + 2 * row,
            Place(rng.choice("ab"), rng.choice("xyz"), rng.randrange(1_000), rng.randrange(1_000)),
            Numbers(*[rng.choice([0, 0, 1, 3, 17, 2_049]) for _ in range(10)], rng.random()),
        )
        for row in range(2)
    ]
    model = ModelRef(name="m", version="1", serial=1)
    for count in (1, 2):
        found = []
        for few in (0, observation._FEW):
            monkeypatch.setattr(observation, "_FEW", few)
            found.append(list(observe(observed[:count], model, 3, most)))
        assert found[0] == found[1]
        assert all(type(number) is float for record in found[1] for number in record.sums)
        assert sum(record.n for record in found[0] if record.segment == "all") == count
