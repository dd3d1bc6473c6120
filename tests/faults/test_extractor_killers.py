"""Notes that kill the extractor: each is a dead letter after at most three deaths, all others have their effect, the line goes on."""

import threading
import time

import pytest
from contracts.topics import NOTES_ACCEPTED
from extractor_rig import Rig, judge, key_of, note, until
from runtime.kafka.deadletter import REASON, VALUE_BYTES, header
from runtime.stream.faust.stop import EXIT_SURPRISE
from swollen_batch import BOMB_BYTES, bound_memory, send_batch

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


class Supervised:
    """A replica that is started again whenever it dies."""

    def __init__(self, rig: Rig, name: str, most_bytes: int | None = None) -> None:
        self._rig = rig
        self._name = name
        self._most_bytes = most_bytes
        self._stop = threading.Event()
        self.deaths = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            process = self._rig.start(most_bytes=self._most_bytes, RXTRACT_GROUP_INSTANCE_ID=self._name)
            while process.child.poll() is None:
                if self._stop.wait(0.05):
                    process.end()
                    return
            self.deaths += 1

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)


def test_killers_are_dead_lettered_after_four_tries_and_all_others_have_effects(extractor_rig: Rig) -> None:
    killers = {"k0", "k1"}
    notes = [note(f"n{number}", "fever and cough") for number in range(400)]
    notes[120:120] = [note("k0", "KILLS fever")]
    notes[300:300] = [note("k1", "KILLS cough")]
    extractor_rig.send(notes)
    replicas = [Supervised(extractor_rig, "a")]
    try:
        extractor_rig.drained(200)
    finally:
        for replica in replicas:
            replica.stop()
    letters = extractor_rig.dead_letters()
    assert {(letter.key(), header(tuple(letter.headers()), REASON)) for letter in letters} == {
        (key_of(killer), b"KILLED_PROCESS") for killer in killers
    }
    assert len(letters) == len(killers)
    assert all(b"KILLS" in letter.value() for letter in letters)
    found = judge([(one.note_id, 1) for one in notes], extractor_rig.events(), [(killer, 1) for killer in killers])
    assert found.lost == []
    assert found.double_effects == []
    assert 2 <= sum(replica.deaths for replica in replicas) <= 4 * len(killers)


def test_a_batch_too_large_to_be_fetched_costs_one_death_and_its_large_record(extractor_rig: Rig) -> None:
    first = extractor_rig.start(RXTRACT_GROUP_INSTANCE_ID="a")
    until(lambda: first.ready, 60, "ready")
    most_bytes = bound_memory(first.child.pid)
    notes = [note(f"n{number}", "fever and cough") for number in range(4)]
    rows = [(key_of(one.note_id).decode(), extractor_rig.serialize(one)) for one in notes]
    send_batch(extractor_rig.bootstrap, extractor_rig.topic(NOTES_ACCEPTED), "lz4", rows[:3], "bomb")
    until(lambda: first.child.poll() is not None, 60, "dead of the bomb")
    replica = Supervised(extractor_rig, "a", most_bytes)
    try:
        extractor_rig.send(notes[3:])
        extractor_rig.drained(60)
    finally:
        replica.stop()
    [letter] = extractor_rig.dead_letters()
    headers = tuple(letter.headers())
    assert (letter.key(), letter.value(), header(headers, REASON)) == (b"bomb", None, b"TOO_LARGE")
    assert header(headers, VALUE_BYTES) == b"%d" % BOMB_BYTES
    found = judge([(one.note_id, 1) for one in notes], extractor_rig.events())
    assert (found.lost, found.double_effects, replica.deaths) == ([], [], 0)


def test_a_kill_from_outside_costs_no_note(extractor_rig: Rig) -> None:
    process = extractor_rig.start()
    with extractor_rig.stream(100) as sent:
        time.sleep(6)
        process.kill()
        extractor_rig.start()
        time.sleep(6)
    extractor_rig.drained(60)
    found = judge(sent, extractor_rig.events())
    assert found.lost == []
    assert extractor_rig.dead_letters() == []


def test_a_topic_that_is_deleted_ends_the_extractor_with_one_line(extractor_rig: Rig) -> None:
    process = extractor_rig.start(RXTRACT_FAULT_LIMIT_S="3")
    until(lambda: process.ready or process.child.poll() is not None, 150, "ready")
    assert process.child.poll() is None, process.logged()
    for future in extractor_rig.admin.delete_topics([extractor_rig.topic(NOTES_ACCEPTED)]).values():
        future.result(30)
    until(lambda: not process.ready, 60, "not ready")
    assert process.child.wait(60) == EXIT_SURPRISE
    assert "does not exist: run `rxtract topics apply`" in process.logged()
