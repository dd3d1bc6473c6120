"""What the tests of positions share: the Kafka door of ingestors on topics of their own, in threads, and a sender at a steady rate."""

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions
from contracts import topics
from contracts.files import schema_text
from contracts.records import NoteSubmitted
from contracts.wire import Serializer
from embedded_stack.delete_records import delete_records
from extractor_rig import SOURCE, Rig, key_of, patiently, until
from ingestor.bootstrap import accepted_writer, kafka_door, share
from ingestor.settings import IngestorSettings
from runtime.service.metrics import ASSIGNED_PARTITIONS, CONSUMER_LAG


def submitted(note_id: str) -> NoteSubmitted:
    """A note that every rule takes."""
    return NoteSubmitted(
        source=SOURCE,
        note_id=note_id,
        revision=1,
        prescription_id="RX",
        patient_ref="PAT",
        doctor_ref="DOC",
        city="Pune",
        specialty="gp",
        written_at=int(time.time() * 1000),
        text="c/o fever x 3 days",
    )


class Door:
    """One ingestor's Kafka door: the real loop, with real clients, in a thread."""

    def __init__(self, settings: IngestorSettings, registry: Any) -> None:
        self.shared = share(settings)
        self.loop = kafka_door(self.shared, registry, accepted_writer(self.shared, registry))
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.loop.run()
        except Exception as error:  # noqa: BLE001
            self.error = error

    def value(self, name: str, **labels: str) -> float:
        return self.shared.metrics.registry.get_sample_value(name, labels) or 0.0

    @property
    def partitions(self) -> float:
        return self.value(ASSIGNED_PARTITIONS.name)

    def lag(self, topic: str) -> float:
        return self.value(CONSUMER_LAG.name, topic=topic)

    def stop(self) -> None:
        self.loop.stop()
        self.thread.join(60)
        assert not self.thread.is_alive()
        if self.error is not None:
            raise self.error


class Doors:
    """Ingestors on the topics of an extractor's rig."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.source = rig.topic(topics.NOTES_SUBMITTED)
        key = rig.folder / "key"
        key.write_bytes(b"k" * 40)
        self.settings = IngestorSettings.load(
            bootstrap_servers=rig.bootstrap,
            schema_registry_url=rig.addresses.schema_registry_url,
            topic_prefix=rig.prefix,
            group_prefix=rig.prefix,
            pseudonym_key_file=key,
            http_tokens="",
            http_tokens_file=_tokens(rig),
        )
        self.group = self.settings.group("rxtract-ingestor")
        schema_id = rig.registry.lookup(topics.subject_of(self.source), schema_text("NoteSubmitted"))
        self.write = Serializer(NoteSubmitted, schema_id)
        self.running: list[Door] = []
        self.admin = AdminClient({"bootstrap.servers": rig.bootstrap})

    def start(self) -> Door:
        door = Door(self.settings, self.rig.registry)
        self.running.append(door)
        return door

    def stop(self, door: Door) -> None:
        self.running.remove(door)
        door.stop()

    def close(self) -> None:
        for door in list(self.running):
            self.stop(door)

    @contextlib.contextmanager
    def stream(self, notes_per_s: float) -> Iterator[list[str]]:
        """Send notes at a steady rate while the block runs; what was sent is complete, and acknowledged, behind it."""
        producer = Producer(
            {
                "bootstrap.servers": self.rig.bootstrap,
                "linger.ms": 5,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "topic.metadata.refresh.interval.ms": 2_000,
            }
        )
        sent: list[str] = []
        stop = threading.Event()

        def send() -> None:
            begun = time.monotonic()
            while not stop.wait(0.02):
                for _ in range(int((time.monotonic() - begun) * notes_per_s) - len(sent)):
                    note_id = uuid.uuid4().hex
                    producer.produce(self.source, self.write(submitted(note_id)), key_of(note_id))
                    sent.append(note_id)
                producer.poll(0)

        sender = threading.Thread(target=send)
        sender.start()
        try:
            yield sent
        finally:
            stop.set()
            sender.join()
            assert producer.flush(60) == 0

    def transaction(self, topic: str, values: dict[str, bytes], *, commit: bool | None) -> Producer:
        """Write notes by their ids in a transaction, and commit or abort it; None: leave it open."""
        producer = Producer(
            {
                "bootstrap.servers": self.rig.bootstrap,
                "transactional.id": uuid.uuid4().hex,
                "partitioner": "murmur2_random",
            }
        )
        patiently(lambda: producer.init_transactions(30))
        producer.begin_transaction()
        for key, value in values.items():
            producer.produce(topic, value, key_of(key))
        producer.flush(30)
        if commit is not None:
            (producer.commit_transaction if commit else producer.abort_transaction)(30)
        return producer

    def grow(self, name: str, partitions: int) -> None:
        """Give a topic more partitions, as Kafka's own command does."""
        topic = self.rig.topic(name)
        self.admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(30)

    def expire(self, name: str) -> None:
        """Delete all that is on a topic, as retention does; by a process of its own, because the client's call corrupts memory."""
        delete_records(self.rig.bootstrap, self.rig.topic(name), self.rig.ends(name))

    def accepted(self) -> list[str]:
        """Ids of the accepted notes, as often as they are there."""
        keys = [(message.key() or b"").decode() for message in self.rig.read(self.rig.topic(topics.NOTES_ACCEPTED))]
        return [key.partition("|")[2] for key in keys]

    def committed(self, topic: str, group: str) -> dict[int, int]:
        consumer = Consumer({"bootstrap.servers": self.rig.bootstrap, "group.id": group})
        try:
            numbers = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            places = [TopicPartition(topic, number) for number in numbers]
            return {
                place.partition: place.offset for place in patiently(lambda: consumer.committed(places, timeout=10))
            }
        finally:
            consumer.close()

    def drained(self, seconds: float) -> None:
        """Wait until all that was submitted is committed."""

        def behind() -> int:
            known = self.committed(self.source, self.group)
            return sum(
                end - max(0, known.get(number, 0)) for number, end in self.rig.ends(topics.NOTES_SUBMITTED).items()
            )

        until(lambda: behind() == 0 or time.sleep(0.5), seconds, "the door to be through")


def _tokens(rig: Rig) -> Any:
    path = rig.folder / "tokens"
    path.write_text("")
    return path
