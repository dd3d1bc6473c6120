"""Records that kill the ingestor, or that no dead letter can hold: the line goes on, and both doors serve behind them."""

import hashlib
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Producer
from contracts.identity import note_key
from test_ingestor_stack import SOURCE, Rig, body_of, header_of, note

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

MIB = 1 << 20
SERVED_WITHIN_S = 10
DEADLY = Path(__file__).parent.parent / "faults" / "ingestor_process.py"


def bomb(rig: Rig, size: int, key: str) -> None:
    """A record of zeros, small on the wire."""
    config = {"bootstrap.servers": rig.servers, "message.max.bytes": 1_000_000_000, "compression.type": "gzip"}
    producer = Producer(config)
    errors: list[object] = []
    producer.produce(rig.submitted, b"\0" * size, key, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(180) == 0
    assert errors == [None]


def served(rig: Rig, key: str, within_s: float = SERVED_WITHIN_S) -> None:
    """A good note behind it comes through by both doors in time, Kafka's on the same partition."""
    began = time.monotonic()
    by_kafka = note()
    rig.produce(rig.write(by_kafka), key=key)
    assert rig.post(body_of(note())).status_code == 202
    rig.accepted_notes(by_kafka.note_id, seconds=within_s)
    assert time.monotonic() - began < within_s + 1


@pytest.mark.parametrize("mib", [13, 17, 64])
def test_a_bomb_becomes_a_dead_letter_without_a_death(stack, tmp_path: Path, mib: int) -> None:
    rig = Rig(stack, tmp_path)
    try:
        key = f"bomb-{mib}"
        bomb(rig, mib * MIB, key)
        served(rig, key)
        [letter] = rig.dead_letters(key, 1)
        assert header_of(letter, "rxtract.reason") == "TOO_LARGE"
        if letter.value() is None:
            assert header_of(letter, "rxtract.value-bytes") == str(mib * MIB)
            assert header_of(letter, "rxtract.value-sha256") == hashlib.sha256(b"\0" * mib * MIB).hexdigest()
        assert header_of(letter, "__streams.errors.topic") == rig.submitted
        assert rig.process.poll() is None
        assert "critical" not in rig.log.read_text()
    finally:
        rig.stop()


@pytest.mark.parametrize(
    ("count", "mib", "most_mib"), [(1, 200, 480), pytest.param(40, 17, 500, marks=pytest.mark.long)]
)
def test_the_memory_of_bombs_is_bounded_and_given_back(
    stack, tmp_path: Path, count: int, mib: int, most_mib: int
) -> None:
    rig = Rig(stack, tmp_path)
    try:
        process = psutil.Process(rig.process.pid)
        before = process.memory_info().rss
        peak = before
        over = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not over.wait(0.005):
                peak = max(peak, process.memory_info().rss)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            for _ in range(count):
                bomb(rig, mib * MIB, "large")
            served(rig, "large", 60)
            rig.dead_letters("large", count, seconds=60)
        finally:
            over.set()
            watcher.join()
        after = process.memory_info().rss
        assert (
            peak - before < most_mib * MIB
        )  # the client's copy and ours: docs/guides/sre.md says what no client can bound
        assert after - before < 200 * MIB
        assert rig.process.poll() is None
    finally:
        rig.stop()


class DeadlyRig(Rig):
    command = (sys.executable, str(DEADLY))

    def _is_ready(self, process: object) -> bool:  # it may die at any time, before it is ready too
        return True


@pytest.mark.parametrize("count", [1, pytest.param(2, marks=pytest.mark.long)])
def test_killers_are_dead_lettered_after_four_tries_and_all_others_pass(stack, tmp_path: Path, count: int) -> None:
    rig = DeadlyRig(stack, tmp_path)
    over, deaths = threading.Event(), []

    def supervise() -> None:
        while not over.wait(0.05):
            if rig.process.poll() is not None:
                deaths.append(rig.process.returncode)
                rig.process = rig.start()

    notes = [note(text=f"fever {number}") for number in range(200)]
    killers = [note(text="KILLS fever"), note(text="KILLS cough")][:count]
    ordered = [*notes[:70], *killers[:1], *notes[70:150], *killers[1:], *notes[150:]]
    supervisor = threading.Thread(target=supervise)
    supervisor.start()
    try:
        for one in ordered:
            rig.produce(rig.write(one), key="same")
        letters = rig.dead_letters("same", count, seconds=200)
        wanted = {note_key(SOURCE, one.note_id).encode() for one in notes}
        deadline = time.monotonic() + 60
        passed: set[bytes] = set()
        while passed != wanted and time.monotonic() < deadline:
            passed = {
                message.key()
                for message in rig._read(rig.accepted, lambda message: message.key() in wanted, 1, 5, more=True)
            }
    finally:
        over.set()
        supervisor.join()
        rig.process.kill()
        rig.process.wait()
    assert passed == wanted
    assert {header_of(letter, "rxtract.reason") for letter in letters} == {"KILLED_PROCESS"}
    assert {letter.value() for letter in letters} == {rig.write(one) for one in killers}
    assert set(deaths) == {-11}
    assert len(deaths) <= 4 * len(killers)
