"""What is dropped, when a view begins anew, and how episodes go."""

import dataclasses

import numpy as np
import pytest
from contracts.records import DriftDirection, DriftLevel, ModelAction, ModelRef
from drift.config import DAY_MS, HOUR_MS, DriftConfig
from drift.reference import references_of

NEWER = ModelRef(name="rxtract-ner", version="8", serial=10)


def shifted(streams, n=6_000, at=3_000, shift=0.10, seed=1):
    return {"oov_share": streams.values(seed, n, at=at, shift=shift)}


def test_ranges_seen_wholly_or_partly_are_dropped_and_counted(streams):
    watcher = streams.watcher()
    values = {"oov_share": np.full(20, 0.1)}
    for offset, first in enumerate([0, 0, 10, 20, 35]):
        watcher.apply(offset, streams.record(first, values))
    watcher.apply(5, streams.record(0, values, note_partition=1))
    assert watcher.counts.dropped == 3
    assert watcher.segments["all"].seen.last == {0: 39, 1: 19}


def test_a_record_applied_before_changes_nothing(streams):
    watcher = streams.watcher()
    record = streams.record(0, {"oov_share": np.full(20, 0.1)})
    watcher.apply(4, record)
    watcher.apply(4, streams.record(20, {"oov_share": np.full(20, 0.1)}))
    assert watcher.segments["all"].block.n == 20


def test_blocks_close_at_25_notes_or_after_a_day_with_10(streams):
    watcher = streams.watcher()
    for offset in range(3):
        watcher.apply(offset, streams.record(10 * offset, {"oov_share": np.full(10, 0.1)}))
    segment = watcher.segments["all"]
    assert (segment.tracks["oov_share"].blocks, segment.block.n) == (1, 0)
    watcher.apply(3, streams.record(40, {"oov_share": np.full(10, 0.1)}))
    watcher.apply(4, streams.record(50, {"oov_share": np.full(5, 0.1)}, at=streams.start + 2 * DAY_MS))
    assert (segment.tracks["oov_share"].blocks, segment.block.n) == (2, 5)


def test_a_shift_asks_for_a_new_model_once(streams):
    watcher = streams.watcher()
    commands = [
        command
        for offset, record in enumerate(streams.records(shifted(streams, shift=0.12)))
        for command in watcher.apply(offset, record).commands
    ]
    assert [(c.action, c.champion_version, c.segment) for c in commands] == [(ModelAction.RETRAIN, "7", "all")]


def test_an_episode_gets_worse_and_recovers_under_one_id(streams):
    values = shifted(streams, n=12_000, at=3_000, shift=0.05)
    values["oov_share"][6_000:8_000] += 0.06
    values["oov_share"][8_000:] -= 0.05
    watcher = streams.watcher()
    found = [event for _, event in streams.run(watcher, values)]
    levels = [event.level for event in found]
    assert levels[0] is DriftLevel.WARNING
    assert DriftLevel.CRITICAL in levels
    assert levels[-1] is DriftLevel.RECOVERED
    assert found[-1].direction is DriftDirection.BETTER
    assert len({event.episode_id for event in found}) == 1
    assert watcher.segments["all"].episode is None


def test_a_second_shift_waits_for_the_end_of_the_cool_down(streams):
    values = streams.values(4, 12_000)
    values[3_000:5_000] += 0.12
    values[6_000:] += 0.12
    columns = {"oov_share": values}
    quick = [event.level for _, event in streams.run(streams.watcher(), columns)]
    at_once = [event.level for _, event in streams.run(streams.watcher(config=DriftConfig(cool_down_ms=0)), columns)]
    assert quick == [DriftLevel.WARNING, DriftLevel.CRITICAL, DriftLevel.RECOVERED]
    assert at_once == [*quick, DriftLevel.CRITICAL]
    late = [event for _, event in streams.run(streams.watcher(config=DriftConfig(cool_down_ms=HOUR_MS)), columns)]
    assert late[3].detected_at >= late[2].detected_at + HOUR_MS


def test_several_statistics_at_once_are_critical(streams):
    columns = {
        name: streams.values(seed, 6_000, name=name, at=3_000, shift=shift)
        for seed, (name, shift) in enumerate({"oov_share": 0.05, "tokens": 8.0, "disease_entities": -0.9}.items())
    }
    found = [event for _, event in streams.run(streams.watcher(), columns)]
    assert found[-1].level is DriftLevel.CRITICAL
    assert {one.name for one in found[-1].statistics} == set(columns)


def test_the_first_record_of_a_newer_model_ends_episodes_and_begins_anew(streams):
    watcher = streams.watcher()
    streams.run(watcher, shifted(streams))
    assert watcher.segments["all"].episode is not None
    record = streams.record(6_000, {"oov_share": np.full(20, 0.1)}, model=NEWER)
    (event,) = watcher.apply(watcher.last_offset + 1, record).detected
    assert (event.level, event.model) == (DriftLevel.RECOVERED, streams.model)
    assert "model 8" in event.evidence
    assert watcher.segments["all"].tracks == {}
    watcher.apply(watcher.last_offset + 1, streams.record(6_020, {"oov_share": np.full(20, 0.1)}))
    assert watcher.counts.stale == 1


def test_a_model_that_is_bad_from_its_first_note_on_is_rolled_back_once(streams):
    watcher = streams.watcher()
    streams.run(watcher, {"confidence": streams.values(1, 3_000, name="confidence")})
    bad = streams.values(2, 3_000, name="confidence") - 0.06
    commands = [
        command
        for offset, record in enumerate(
            streams.records({"confidence": bad}, model=NEWER), start=watcher.last_offset + 1
        )
        for command in watcher.apply(
            offset,
            dataclasses.replace(
                record, first_offset=record.first_offset + 3_000, last_offset=record.last_offset + 3_000
            ),
        ).commands
    ]
    assert [(c.action, c.target_version, c.champion_version) for c in commands] == [
        (ModelAction.ROLLBACK, "7", "8"),
        (ModelAction.RETRAIN, None, "8"),
    ]
    assert len({c.command_id for c in commands}) == 2


def test_a_good_promotion_is_no_drift(streams):
    watcher = streams.watcher()
    streams.run(watcher, {"confidence": streams.values(1, 3_000, name="confidence")})
    assert streams.run(watcher, {"confidence": streams.values(2, 3_000, name="confidence")}, model=NEWER) == []


@pytest.mark.parametrize("missing_until", [0, 6_000])
def test_what_happened_before_references_came_is_not_laid_on_the_promotion(streams, missing_until):
    found = references_of(streams.metadata())
    known = {streams.model.version: found}
    watcher = streams.watcher(find=lambda model: known.get(model.version, {}))
    streams.run(watcher, {"confidence": streams.values(1, 3_000, name="confidence")})
    values = {"confidence": streams.values(2, 10_000, name="confidence", at=4_000, shift=-0.06)}
    commands, evidence = [], []
    for offset, record in enumerate(streams.records(values, model=NEWER), start=watcher.last_offset + 1):
        if record.first_offset >= missing_until:
            known[NEWER.version] = found
        watcher.look_again()
        outcome = watcher.apply(offset, dataclasses.replace(record, note_partition=1))
        commands += outcome.commands
        evidence += [event.evidence for event in outcome.detected]
    assert [(c.action, c.champion_version) for c in commands] == [(ModelAction.RETRAIN, "8")]
    assert not [said for said in evidence if "with the promotion" in said]


def test_without_references_records_are_counted_and_not_judged(streams):
    watcher = streams.watcher(find=lambda _: {})
    assert streams.run(watcher, shifted(streams)) == []
    assert watcher.counts.unjudged == 240


def test_when_references_cannot_be_had_nothing_changes(streams):
    def away(_):
        raise ConnectionError

    watcher = streams.watcher(find=away)
    with pytest.raises(ConnectionError):
        watcher.apply(0, streams.record(0, {"oov_share": np.full(20, 0.1)}))
    assert (watcher.last_offset, watcher.model, watcher.segments) == (-1, None, {})


def test_idle_segments_expire_in_record_time_and_their_number_is_bounded(streams):
    watcher = streams.watcher(config=DriftConfig(max_segments=10))
    for offset in range(300):
        at = streams.start + offset * DAY_MS // 4
        watcher.apply(
            offset, streams.record(offset * 5, {"oov_share": np.full(5, 0.1)}, segment=f"city={offset}", at=at)
        )
    assert len(watcher.segments) <= 10
    busy = streams.watcher()
    busy.apply(0, streams.record(0, {"oov_share": np.full(5, 0.1)}, segment="city=Pune"))
    for offset in range(1, 257):
        at = streams.start + offset * DAY_MS // 10
        busy.apply(offset, streams.record(offset * 5, {"oov_share": np.full(5, 0.1)}, at=at))
    assert list(busy.segments) == ["all"]


def test_clocks_an_hour_apart_alarm_nothing_and_one_wild_clock_moves_little(streams):
    random = np.random.default_rng(0)
    watcher = streams.watcher()
    for offset, record in enumerate(streams.records({"oov_share": streams.values(1, 20_000)})):
        skewed = dataclasses.replace(record, observed_at=record.observed_at + int(random.integers(-HOUR_MS, HOUR_MS)))
        assert watcher.apply(offset, skewed).detected == ()
    before = watcher.clock
    watcher.apply(watcher.last_offset + 1, streams.record(20_000, {"oov_share": [0.1]}, at=before + 900 * DAY_MS))
    assert watcher.clock == before + DAY_MS


def test_evidence_is_one_sentence_of_numbers_in_local_time(streams):
    watcher = streams.watcher()
    columns = {"oov_share": streams.values(1, 6_000, at=3_000, shift=0.08)}
    ((_, event), *_) = streams.run(watcher, columns, segment="city=Pune|specialty=cardiology")
    assert event.evidence.startswith("share of unknown words in Pune/cardiology rose from 10 % to 17 % since ")
    assert event.evidence[-5:].replace(":", "").isdigit()


def test_values_that_are_no_numbers_are_left_out(streams):
    watcher = streams.watcher()
    for offset in range(4):
        watcher.apply(
            offset, streams.record(25 * offset, {"oov_share": np.full(25, np.nan), "tokens": np.full(25, 30.0)})
        )
    assert set(watcher.segments["all"].tracks) == {"tokens"}


def test_a_reference_that_never_varied_has_a_unit_all_the_same():
    rows = {"unknown_char_share": {"mean": 0.0, "sd": 0.0, "block_mean_sd": 0.0}, "odd": {"mean": "x"}, "worse": 3}
    assert references_of({"reference": rows})["unknown_char_share"].sd > 0
    assert set(references_of({"reference": rows})) == {"unknown_char_share"}
    assert references_of({}) == {}


@pytest.mark.parametrize("skew_ms", [HOUR_MS, -HOUR_MS])
def test_clocks_an_hour_apart_change_times_and_no_decision(streams, skew_ms):
    """Record time is the latest seen: it never goes back, and what it decides (cool-down, expiry) is off by the hour at most."""
    values = shifted(streams, n=9_000, shift=0.10)
    values["oov_share"][6_000:] -= 0.10
    right, skewed = streams.watcher(), streams.watcher()
    found, expected = [], []
    for offset, record in enumerate(streams.records(values)):
        wrong = dataclasses.replace(record, observed_at=record.observed_at + skew_ms * (offset % 2))
        before = skewed.clock
        expected += [(offset, event) for event in right.apply(offset, record).detected]
        found += [(offset, event) for event in skewed.apply(offset, wrong).detected]
        assert skewed.clock >= before
        assert abs(skewed.clock - right.clock) <= HOUR_MS
    assert [(at, event.level, event.statistics) for at, event in found] == [
        (at, event.level, event.statistics) for at, event in expected
    ]
    assert [event.level for _, event in found][-1] is DriftLevel.RECOVERED
    for (_, event), (_, other) in zip(found, expected, strict=True):
        assert abs(event.began_at - other.began_at) <= HOUR_MS
        assert abs(event.detected_at - other.detected_at) <= HOUR_MS


@pytest.mark.parametrize(("name", "shift"), [("negated_share", 0.2), ("uncertain_share", 0.15)])
def test_a_shift_of_what_notes_say_of_entities_alarms_and_is_named(streams, name, shift):
    values = streams.values(1, 6_000, name=name, at=3_000, shift=shift)
    ((_, event),) = streams.run(streams.watcher(), {name: values})
    assert [moved.name for moved in event.statistics] == [name]
    assert event.evidence.startswith("share of ")
    assert " %" in event.evidence


def test_a_model_whose_reference_has_no_shares_of_statuses_is_watched_as_before(streams):
    whole = references_of(streams.metadata())
    before = {name: reference for name, reference in whole.items() if name not in {"negated_share", "uncertain_share"}}
    shares = {name: streams.values(2, 6_000, name=name, at=3_000, shift=0.5) for name in whole.keys() - before.keys()}
    assert streams.run(streams.watcher(find=lambda _: before), shares) == []
    shifted = {"oov_share": streams.values(1, 6_000, at=3_000, shift=0.1)}
    alarms = streams.run(streams.watcher(find=lambda _: before), shifted)
    assert alarms
    assert streams.run(streams.watcher(find=lambda _: before), {**shifted, **shares}) == alarms


def test_a_reference_that_never_saw_a_negation_does_not_make_the_first_ones_critical():
    row = {"mean": 0.0, "sd": 0.0, "block_mean_sd": 0.0}
    found = references_of({"reference": {"negated_share": row, "uncertain_share": row}})
    assert {name: reference.scaled(0.08) for name, reference in found.items()} == {
        "negated_share": pytest.approx(4.0),
        "uncertain_share": pytest.approx(4.0),
    }
