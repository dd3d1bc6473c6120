"""State as bytes and back at any point: the same decisions and the same bytes afterwards; damage is refused."""

import json

import numpy as np
import pytest
from contracts.records import ModelRef
from drift.config import DriftConfig
from drift.state import FORMAT_VERSION, StateRefusedError, digest, dump, load, pack, unpack
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import Streams  # isort: skip

STREAMS = Streams()


def source():
    """A story of two segments, two models, a shift and a return; 480 records."""
    pune = STREAMS.values(1, 6_000, at=2_000, shift=0.08)
    pune[4_000:] -= 0.08
    every = STREAMS.values(2, 6_000, at=1_500, shift=0.12)
    newer = ModelRef(name="rxtract-ner", version="8", serial=10)
    records = []
    for first in range(0, 6_000, 25):
        model = STREAMS.model if first < 5_000 else newer
        for segment, values in (("city=Pune", pune), ("all", every)):
            records.append(
                STREAMS.record(first, {"oov_share": values[first : first + 25]}, segment=segment, model=model)
            )
    return records


def restored(watcher):
    plain = dump(watcher)
    again = unpack(pack(plain), digest(plain))
    return load(again, watcher.partition, watcher.config, watcher.find, watcher.zone, FORMAT_VERSION)


RECORDS = source()


def unbroken():
    watcher = STREAMS.watcher()
    outcomes = [watcher.apply(offset, record) for offset, record in enumerate(RECORDS)]
    return outcomes, dump(watcher)


OUTCOMES, FINAL = unbroken()


def test_the_story_has_alarms():
    assert sum(len(outcome.detected) for outcome in OUTCOMES) >= 4


@settings(max_examples=25)
@given(st.lists(st.integers(0, len(RECORDS) - 1), min_size=1, max_size=6), st.integers(0, 40))
def test_a_restore_at_any_point_changes_nothing(deaths, replayed):
    watcher, outcomes = STREAMS.watcher(), []
    saved = dump(watcher)
    for offset, record in enumerate(RECORDS):
        outcomes.append(watcher.apply(offset, record))
        saved = dump(watcher) if offset in deaths or offset % 100 == 99 else saved
        if offset in deaths:
            watcher = restored(watcher)
            for again in range(max(0, offset - replayed), offset + 1):
                assert watcher.apply(again, RECORDS[again]).detected == ()
    assert outcomes == OUTCOMES
    assert dump(watcher) == FINAL


def test_a_replay_from_an_older_state_gives_the_same_events_and_ids():
    watcher = STREAMS.watcher()
    for offset in range(100):
        watcher.apply(offset, RECORDS[offset])
    older = restored(watcher)
    assert [older.apply(offset, RECORDS[offset]) for offset in range(100, len(RECORDS))] == OUTCOMES[100:]
    assert dump(older) == FINAL


@pytest.mark.parametrize(
    "damage",
    [lambda b: b[: len(b) // 2], lambda b: b[:40] + bytes([b[40] ^ 1]) + b[41:], lambda _: b"", lambda b: b + b"x"],
)
def test_damaged_state_is_refused(damage):
    with pytest.raises(StateRefusedError, match="damaged"):
        unpack(damage(pack(FINAL)), digest(FINAL))


def test_state_of_another_format_river_or_configuration_is_refused():
    watcher = STREAMS.watcher()

    def attempt(plain, version=FORMAT_VERSION, partition=3, config=None):
        return load(plain, partition, config or DriftConfig(), watcher.find, watcher.zone, version)

    assert attempt(FINAL).last_offset == len(RECORDS) - 1
    with pytest.raises(StateRefusedError, match="format"):
        attempt(FINAL, version=0)
    with pytest.raises(StateRefusedError, match="partition"):
        attempt(FINAL, partition=4)
    with pytest.raises(StateRefusedError, match="arguments"):
        attempt(FINAL, config=DriftConfig(delta=0.1))
    older = json.dumps(json.loads(FINAL) | {"river_version": "0.1"}).encode()
    with pytest.raises(StateRefusedError, match="River"):
        attempt(older)
    with pytest.raises(StateRefusedError, match="not what"):
        attempt(b"[]")


def test_saving_is_due_at_the_same_offsets_after_a_restore():
    def saves(restart_at):
        watcher, found = STREAMS.watcher(), []
        for offset, record in enumerate(RECORDS):
            watcher.apply(offset, record)
            if watcher.is_save_due(50, 10**12):
                watcher.mark_saved()
                found.append(offset)
                if offset == restart_at:
                    watcher = restored(watcher)
        return found

    assert saves(-1) == saves(99) != []


def test_the_state_of_a_busy_partition_is_small():
    watcher = STREAMS.watcher()
    names = ("oov_share", "confidence", "tokens", "disease_entities", "unknown_char_share")
    for offset in range(4_000):
        segment = f"city={offset % 9}"
        values = {name: np.random.default_rng(offset).normal(size=25) for name in names}
        watcher.apply(offset, STREAMS.record(25 * offset, values, segment=segment))
    assert len(dump(watcher)) / (9 * len(names)) < 4_000
