"""kill -9 of the extractor by process id while it has notes in hand: nothing is lost, one effect a note."""

import sys

import pytest
from contracts import topics
from extractor_rig import judge, note, until

NOTE_MS = "0.7"

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420)]


def notes(count):
    for number in range(count):
        yield note(f"n{number}", f"fever since {number} days")
        if number % 10 == 0:
            yield note(f"n{number}", f"fever and cough since {number} days", revision=2)


def hit(process) -> bool:
    """Whether the process has batches in hand and notes behind them. Asked directly before the kill."""
    return process.metric("rxtract_batches_held") > 0 and process.metric("rxtract_consumer_lag_records") > 0


@pytest.mark.parametrize(("kills", "count"), [(2, 6_000), pytest.param(6, 15_000, marks=pytest.mark.long)])
def test_kills_lose_nothing(extractor_rig, kills, count):
    rig = extractor_rig
    sent = rig.send(notes(count))
    hits = 0
    for _ in range(kills):
        process = rig.start("--note-ms", NOTE_MS)
        begun = sum(rig.committed().values())
        until(lambda begun=begun: sum(rig.committed().values()) > begun, 60, "a commit after the start")
        assert rig.lag() > 0, "the load is too small: nothing was left to kill"
        hits += until(lambda process=process: hit(process), 20, "batches in hand")
        process.kill()
        assert process.child.returncode == -9
    assert hits == kills, f"only {hits} of {kills} kills hit a batch in hand"
    last = rig.start("--note-ms", "0.1")
    rig.drained(90)
    assert last.terminate() == 0

    expected = [(one.note_id, one.revision) for one in notes(count)]
    verdict = judge(expected, rig.events())
    sys.stdout.write(f"{sent} notes, {kills} kills, {hits} hits, {verdict.duplicates} duplicated records\n")
    assert len(expected) == sent
    assert verdict.lost == []
    assert verdict.double_effects == []
    assert verdict.out_of_order == []
    assert rig.lag() == 0
    assert rig.dead_letters() == []
    assert_statistics_cover_all(rig)


def assert_statistics_cover_all(rig) -> None:
    """Every offset lies in a range of the segment "all", so that the drift-watcher can count each note once."""
    covered = {number: set() for number in rig.ends(topics.NOTES_ACCEPTED)}
    for record in rig.statistics():
        assert 1 <= record.n <= 25
        if record.segment == "all":
            assert record.n == record.last_offset - record.first_offset + 1
            covered[record.note_partition].update(range(record.first_offset, record.last_offset + 1))
    for number, end in rig.ends(topics.NOTES_ACCEPTED).items():
        assert covered[number] == set(range(end))
