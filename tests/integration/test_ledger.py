"""The ledger between real servers: both doors, what is refused, kills of the ledger, new partitions, and a note removed on purpose."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions
from contracts.apply import apply_schemas, apply_topics
from contracts.files import schema_text
from contracts.records import NoteSubmitted
from contracts.registry import ConfluentRegistry
from contracts.topics import NOTES_ACCEPTED, NOTES_SUBMITTED, load_topics, subject_of
from contracts.wire import Serializer
from embedded_stack.services import ServiceProcess
from runtime.service.secret_files import hash_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]
EXTRACTOR = Path(__file__).parents[1] / "faults/extractor_process.py"
TOKEN = "token-of-the-test"


class Rig:
    """Ingestor, extractor and ledger on topics of their own."""

    def __init__(self, stack: Any, prefix: str, folder: Path, ending: ExitStack) -> None:
        self.prefix, self.folder, self.ending = prefix, folder, ending
        self.servers = stack.addresses.bootstrap_servers
        registry = ConfluentRegistry(stack.addresses.schema_registry_url)
        apply_topics({"bootstrap.servers": self.servers}, load_topics(), prefix)
        apply_schemas(registry, prefix)
        schema_id = registry.lookup(subject_of(prefix + NOTES_SUBMITTED), schema_text("NoteSubmitted"))
        self._write = Serializer(NoteSubmitted, schema_id)
        self._producer = Producer({"bootstrap.servers": self.servers, "linger.ms": 1})
        key = folder / "key"
        key.write_bytes(b"k" * 40)
        self._env = {
            **stack.addresses.as_environment(),
            "RXTRACT_TOPIC_PREFIX": prefix,
            "RXTRACT_GROUP_PREFIX": prefix,
            "RXTRACT_PSEUDONYM_KEY_FILE": str(key),
            "RXTRACT_HTTP_TOKENS": f"clinic:{hash_token(TOKEN)}",
            "RXTRACT_HTTP_PORT_FILE": str(folder / "http.port"),
            "RXTRACT_LEDGER_DIR": str(folder / "ledger"),
            "RXTRACT_LOST_AFTER_S": "4",
            "RXTRACT_LEDGER_COMMIT_S": "0.5",
        }
        self.ingestor, self.ledger = (self._process(name) for name in ("ingestor", "ledger"))
        self.extractor = self.extract()

    def _process(self, module: str) -> ServiceProcess:
        own = ("LEDGER_DIR", "LOST_AFTER", "LEDGER_COMMIT") if module == "ingestor" else ("PSEUDONYM", "HTTP_")
        env = {name: value for name, value in self._env.items() if not name.removeprefix("RXTRACT_").startswith(own)}
        made = ServiceProcess(module, self.folder, env)
        self.ending.callback(made.kill)
        made.start()
        return made

    def extract(self) -> subprocess.Popen[bytes]:
        """Start an extractor."""
        env = {**os.environ, **{name: value for name, value in self._env.items() if "PREFIX" in name or "URL" in name}}
        env["RXTRACT_BOOTSTRAP_SERVERS"] = self.servers
        with (self.folder / "extractor.log").open("ab") as log:
            made = subprocess.Popen([sys.executable, str(EXTRACTOR)], env=env, stdout=log, stderr=log)
        self.ending.callback(made.wait)
        self.ending.callback(made.kill)
        return made

    def submit(self, *note_ids: str) -> None:
        """By Kafka."""
        for note_id in note_ids:
            note = dataclasses.replace(NOTE, note_id=note_id, written_at=now_ms())
            self._producer.produce(self.prefix + NOTES_SUBMITTED, self._write(note), f"clinic|{note_id}".encode())
        assert self._producer.flush(20) == 0

    def junk(self, *values: bytes | None) -> None:
        """What is no note."""
        for value in values:
            self._producer.produce(self.prefix + NOTES_SUBMITTED, value, b"k")
        assert self._producer.flush(20) == 0

    def post(self, *notes: dict[str, Any]) -> list[str]:
        """By HTTP; what became of each."""
        port = (self.folder / "http.port").read_text().strip()
        answer = httpx.post(
            f"http://127.0.0.1:{port}/v1/notes", json=notes, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20
        )
        return [one["status"] for one in answer.json()["results"]]

    def account(self) -> dict[str, Any]:
        """What `rxtract reconcile --json` prints."""
        env = {**os.environ, "RXTRACT_LEDGER_URL": self.ledger.health_url}
        command = [sys.executable, "-m", "rxtract", "reconcile", "--json"]
        ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
        assert ran.returncode == 0, ran.stderr
        return dict(json.loads(ran.stdout))

    def counts(self) -> tuple[int, int, int, int, int]:
        """Submitted, effects, dead letters, open and lost."""
        try:
            found = httpx.get(f"{self.ledger.health_url}/account", timeout=10).json()
        except httpx.HTTPError:
            return (-1,) * 5
        return tuple(found.get(name, -1) for name in ("submitted", "effects", "dead_letters", "open", "lost"))  # type: ignore[return-value]

    def await_counts(self, *wanted: int) -> None:
        """Wait for them."""
        until(lambda: self.counts() == wanted, 60, lambda: f"{self.counts()} is not {wanted}")

    def metric(self, name: str) -> float:
        """Of the ledger."""
        lines = httpx.get(self.ledger.metrics_url, timeout=10).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def until(holds: Callable[[], bool], within_s: float, otherwise: Callable[[], str]) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.1)


NOTE = NoteSubmitted(
    source="clinic",
    note_id="N",
    revision=1,
    prescription_id="RX",
    patient_ref="P",
    doctor_ref="D",
    city="Pune",
    specialty="gp",
    written_at=0,
    text="c/o fever",
)
HTTP_NOTE = {
    name: value for name, value in NOTE.to_dict().items() if value is not None and name not in {"source", "origin"}
}


@pytest.fixture
def rig(stack: Any, topic_prefix: str, tmp_path: Path) -> Iterator[Rig]:
    with ExitStack() as ending:
        yield Rig(stack, topic_prefix, tmp_path, ending)


def test_every_note_is_accounted_for_and_a_removed_one_is_named(rig: Rig) -> None:
    rig.ingestor.wait_ready(60)
    rig.ledger.wait_ready(60)
    rig.submit(*(f"K{number}" for number in range(40)), "K0", "K1")
    rig.junk(b"junk", None, b"\x00\x00\x00\x00\x01\xff")
    web = [{**HTTP_NOTE, "note_id": f"H{number}", "written_at": now_ms()} for number in range(20)]
    assert rig.post(*web, {**web[0], "note_id": "H99", "text": " "}) == ["accepted"] * 20 + ["refused"]
    assert rig.post(web[0]) == ["duplicate"]
    rig.await_counts(66, 62, 4, 0, 0)

    rig.ledger.kill()
    rig.submit("down")
    rig.ledger.start_again()
    rig.ledger.wait_ready(60)
    rig.await_counts(67, 63, 4, 0, 0)

    admin = AdminClient({"bootstrap.servers": rig.servers})
    grown = [NewPartitions(rig.prefix + topic, 14) for topic in (NOTES_SUBMITTED, NOTES_ACCEPTED)]
    for future in admin.create_partitions(grown).values():
        future.result(20)
    rig.submit(*(f"G{number}" for number in range(30)))
    rig.await_counts(97, 93, 4, 0, 0)

    rig.extractor.kill()
    rig.extractor.wait()
    assert rig.post({**web[0], "note_id": "gone"}) == ["accepted"]
    rig.await_counts(98, 93, 4, 1, 0)
    pass_over(rig)
    rig.await_counts(98, 93, 4, 0, 1)
    assert rig.account()["lost_notes"] == [{"source": "clinic", "note_id": "gone", "revision": 1}]
    assert rig.metric("rxtract_notes_lost_total") == 1

    rig.extract()
    rig.submit("gone")  # as whoever reads the alert does
    rig.await_counts(99, 95, 4, 0, 0)
    assert rig.metric("rxtract_notes_late_total") == 1


def pass_over(rig: Rig) -> None:
    """Move the extractors' group past what nobody has read."""
    topic = rig.prefix + NOTES_ACCEPTED
    consumer = Consumer({"bootstrap.servers": rig.servers, "group.id": f"{rig.prefix}rxtract-extractor"})
    try:
        found = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ends = [consumer.get_watermark_offsets(TopicPartition(topic, one), timeout=10)[1] for one in found]
        places = [TopicPartition(topic, one, end) for one, end in zip(found, ends, strict=True)]

        def committed() -> bool:
            try:
                consumer.commit(offsets=places, asynchronous=False)
            except Exception:  # noqa: BLE001 - the member that was killed is still in the group
                return False
            return True

        until(committed, 60, lambda: "the group keeps its members")
    finally:
        consumer.close()
