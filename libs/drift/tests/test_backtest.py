"""The backtest says what the watcher says: same statistics, same decisions, whatever the batches."""

from types import SimpleNamespace

import numpy as np
from drift.backtest import RecordedNote, backtest
from drift.reference import references_of


def notes(streams, n=4_000, at=2_000, shift=0.12):
    shares = np.clip(streams.values(1, n, at=at, shift=shift), 0, 1)
    for index, share in enumerate(shares):
        city = ("Pune", "Delhi", "")[index % 3]
        numbers = SimpleNamespace(
            tokens=100, oov_tokens=100 * share, chars=500, unknown_chars=0, disease_entities=1, treatment_entities=1,
            disease_tokens=2, treatment_tokens=2, negated_entities=0, uncertain_entities=0, confidence=0.966,
        )  # fmt: skip
        yield RecordedNote(city, "cardiology", streams.start + 1_000 * index), numbers


def batches(rows, size):
    rows = list(rows)
    return [rows[at : at + size] for at in range(0, len(rows), size)]


def test_a_shift_is_told_per_segment_and_statistic(streams):
    references = {"oov_share": references_of(streams.metadata())["oov_share"]}
    alarms = list(backtest(batches(notes(streams), 500), references, streams.zone))
    assert {alarm.segment for alarm in alarms} == {
        "all",
        "city=Pune",
        "city=Delhi",
        "specialty=cardiology",
        "city=Pune|specialty=cardiology",
        "city=Delhi|specialty=cardiology",
    }
    assert all(alarm.note_index >= 2_000 and alarm.statistic == "oov_share" for alarm in alarms)
    first = min(alarm.note_index for alarm in alarms if alarm.segment == "all")
    assert first == 2_099
    assert set(alarms[0].to_dict()) == {"note_index", "segment", "statistic", "level", "direction", "from", "to"}


def test_batches_change_nothing(streams):
    references = references_of(streams.metadata())
    results = [list(backtest(batches(notes(streams), size), references, streams.zone)) for size in (7, 500)]
    assert results[0] == results[1] != []


def test_a_quiet_file_raises_nothing(streams):
    references = {"oov_share": references_of(streams.metadata())["oov_share"]}
    assert list(backtest(batches(notes(streams, shift=0.0), 500), references, streams.zone)) == []
