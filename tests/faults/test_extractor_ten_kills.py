"""kill -9 of the extractor ten times under load: the drift-watcher counts nearly every note, and none often."""

import sys

import pytest
from contracts import topics
from contracts.records import StatisticsObserved
from contracts.wire import Deserializer
from drift.config import DriftConfig
from drift.watcher import PartitionWatcher
from drift_process import REFERENCES
from extractor_rig import judge, until

KILLS = 10
NOTES_PER_S = 200

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.timeout(420)]


def seen_by_a_watcher(rig) -> tuple[int, int, int]:
    """Notes of the segment of all notes that a watcher takes, how many ranges it drops, and notes in all records."""
    decode = Deserializer.for_topic(StatisticsObserved, rig.registry, rig.topic(topics.STATISTICS_OBSERVED))
    watchers, taken, told = {}, 0, 0
    for message in rig.read(rig.topic(topics.STATISTICS_OBSERVED)):
        record = decode(message.value())
        watcher = watchers.setdefault(
            message.partition(), PartitionWatcher(message.partition(), DriftConfig(), lambda _: REFERENCES, None)
        )
        dropped = watcher.counts.dropped
        watcher.apply(message.offset(), record)
        if record.segment == "all":
            told += record.n
            taken += record.n if watcher.counts.dropped == dropped else 0
    return taken, sum(watcher.counts.dropped for watcher in watchers.values()), told


def test_ten_kills_hide_less_than_one_note_in_a_hundred(extractor_rig):
    rig = extractor_rig
    with rig.stream(NOTES_PER_S) as sent:
        for _ in range(KILLS):
            process = rig.start()
            begun = sum(rig.committed().values())
            until(lambda begun=begun: sum(rig.committed().values()) > begun, 60, "a commit after the start")
            until(lambda process=process: process.metric("rxtract_batches_held") > 0, 20, "a batch in hand")
            process.kill()
        last = rig.start()
        until(lambda: last.metric("rxtract_assigned_partitions") == 12, 60, "the last one to have all partitions")
    rig.drained(60)
    assert last.terminate() == 0
    assert judge(sent, rig.events()).lost == []
    taken, dropped, told = seen_by_a_watcher(rig)
    sys.stdout.write(f"{len(sent)} notes, {told} told, {taken} seen, {dropped} ranges dropped\n")
    assert told > len(sent), "no kill came between sending and committing"
    assert abs(taken - len(sent)) <= len(sent) / 100
