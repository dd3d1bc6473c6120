"""The notes that champion and challenger both tag: the newest that patients' doctors wrote, not what somebody sent again."""

from __future__ import annotations

import time

import pytest
from contracts import topics
from contracts.records import NoteAccepted, Origin
from contracts.registry import ConfluentRegistry
from contracts.wire import Deserializer
from runtime.errors import Recoverable
from runtime.kafka.history import History
from trainer.adapters.live_notes import LiveNotes
from trainer_rig import Rig

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


def live_notes(rig: Rig, count: int, most_read: int = 50_000) -> list[str]:
    topic = f"{rig.prefix}{topics.NOTES_ACCEPTED}"
    history = History({"bootstrap.servers": rig.addresses.bootstrap_servers})
    decode = Deserializer.for_topic(NoteAccepted, ConfluentRegistry(rig.addresses.schema_registry_url), topic)
    deadline = time.monotonic() + 30
    while True:  # a topic of a moment ago may have no leader yet: the trainer too asks again
        try:
            return LiveNotes(history, topic, decode, count, most_read=most_read)()
        except Recoverable:
            if time.monotonic() > deadline:
                raise


def test_a_reextraction_does_not_hide_the_live_notes(rig: Rig) -> None:
    assert live_notes(rig, 10) == []
    live = rig.accepted(40)
    rig.accepted(600, seed=10, origin=Origin.REEXTRACT)
    rig.accepted(100, seed=11, origin=Origin.BACKFILL)
    found = live_notes(rig, 30)
    assert len(found) == 30
    assert set(found) <= set(live)
    assert sorted(live_notes(rig, 100)) == sorted(live), "all that there are"
    assert len(live_notes(rig, 30, most_read=200)) < 30, "not the whole history"


def test_the_newest_come_first(rig: Rig) -> None:
    older, newer = set(rig.accepted(300)), rig.accepted(300, seed=12)
    found = live_notes(rig, 24)
    assert set(found) <= set(newer) - older


def test_none_are_read_when_none_are_wanted(rig: Rig) -> None:
    rig.accepted(5)
    assert live_notes(rig, 0) == []
