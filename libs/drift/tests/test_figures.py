"""The figures of the detector, with one configuration for all: how soon a shift is found, how rarely a quiet stream alarms."""

import numpy as np
import pytest
from contracts.records import DriftDirection, DriftLevel
from drift.observation import STATISTICS

WARM = 3_000
RUNS = 41


def delays(streams, name, shift, *, block_sd=0.0):
    found = []
    for seed in range(RUNS):
        values = streams.values(seed, WARM + 2_000, name=name, block_sd=block_sd, at=WARM, shift=shift)
        alarms = streams.run(streams.watcher(block_sd), {name: values})
        after = [index - WARM + 1 for index, _ in alarms if index >= WARM]
        found.append(after[0] if after else 10**6)
        assert len(after) == len(alarms), f"false alarm before the shift, seed {seed}"
    return found


@pytest.mark.parametrize(
    ("name", "shift", "limit", "median"),
    [("oov_share", 0.05, 400, 200), ("oov_share", 0.10, 200, 100), ("confidence", -0.05, 400, 100)],
)
def test_a_shift_is_found_in_time(streams, name, shift, limit, median):
    found = delays(streams, name, shift)
    assert np.median(found) == median
    assert np.median(found) <= limit
    assert max(found) < 10**6


def test_the_quiet_configuration_also_finds_ten_points_on_the_stream_in_blocks(streams):
    found = delays(streams, "oov_share", 0.10, block_sd=0.04)
    assert np.median(found) == 200
    assert max(found) < 10**6


@pytest.mark.slow
@pytest.mark.parametrize("reference_sd", [0.04, 0.0])
@pytest.mark.parametrize("name", STATISTICS)
def test_a_stationary_stream_in_blocks_hardly_ever_alarms(streams, name, reference_sd):
    """At most 1 alarm per 100,000 notes, also when the reference was made of independent notes."""
    begun = []
    for seed in (7, 101, 102, 103):
        values = streams.values(seed, 100_000, name=name, block_sd=0.04)
        alarms = streams.run(streams.watcher(reference_sd), {name: values})
        begun.append(sum(event.level is not DriftLevel.RECOVERED for _, event in alarms))
    assert max(begun) <= 1
    assert sum(begun) <= 2


def test_independent_notes_never_alarm(streams):
    columns = {name: streams.values(11, 200_000, name=name) for name in ("oov_share", "confidence", "tokens")}
    assert streams.run(streams.watcher(), columns) == []


@pytest.mark.parametrize(("name", "shift"), [("oov_share", -0.08), ("confidence", 0.03)])
def test_an_improvement_is_no_alarm(streams, name, shift):
    values = streams.values(5, 8_000, name=name, at=WARM, shift=shift)
    assert streams.run(streams.watcher(), {name: values}) == []


def test_the_alarm_has_pinned_places(streams):
    values = streams.values(1, 6_000, at=WARM, shift=0.05)
    ((index, event),) = streams.run(streams.watcher(), {"oov_share": values})
    assert (index, event.level, event.direction) == (3149, DriftLevel.WARNING, DriftDirection.WORSE)
    (moved,) = event.statistics
    assert moved.before == pytest.approx(0.10, abs=0.01)
    assert moved.after == pytest.approx(0.15, abs=0.02)
    assert event.began_at == pytest.approx(streams.start + 1_000 * WARM, abs=100_000)


def test_a_large_shift_is_critical_and_a_slow_one_is_found(streams):
    large = streams.run(streams.watcher(), {"oov_share": streams.values(2, 6_000, at=WARM, shift=0.12)})
    critical = next(index for index, event in large if event.level is DriftLevel.CRITICAL)
    assert critical < WARM + 150
    slow = streams.values(3, 20_000) + np.linspace(0, 0.06, 20_000)
    assert streams.run(streams.watcher(), {"oov_share": slow})


@pytest.mark.parametrize("quiet", [400, WARM])
def test_a_batch_of_odd_notes_from_one_clinic_is_not_critical_for_all(streams, quiet):
    """31 notes in another language, or from a device that scrambles them, are their city's matter; before, each run was CRITICAL."""
    odd = {"oov_share": 0.5, "confidence": -0.3, "unknown_char_share": 0.2}
    levels = []
    for seed in range(20):
        columns = {
            name: streams.values(10 * seed + at, quiet + 31 + 600, name=name) for at, name in enumerate(sorted(odd))
        }
        for name, shift in odd.items():
            columns[name][quiet : quiet + 31] += shift
        levels += [event.level for _, event in streams.run(streams.watcher(), columns)]
    assert levels.count(DriftLevel.CRITICAL) <= 1
    assert levels.count(DriftLevel.WARNING) <= 6
