"""Orders to the trainer, on real servers: published once, answered by events, and refused clearly where nobody listens."""

import json
import threading
import time
import uuid

import pytest
from confluent_kafka import Consumer, TopicPartition
from contracts.apply import apply_topics
from contracts.files import schema_text
from contracts.identity import note_key
from contracts.records import ModelAction, ModelCommand, ModelEvent, ModelEventKind, NoteAccepted, Origin
from contracts.registry import ConfluentRegistry
from contracts.topics import MODEL_COMMANDS, MODEL_EVENTS, NOTES_ACCEPTED, load_topics, prefixed, subject_of
from contracts.wire import Deserializer, Serializer
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.records import OutputRecord
from rxtract.addresses import StackAddresses
from rxtract.errors import UserError
from rxtract.models.orders import Outcome, carry_out, new_command
from rxtract.reading import TopicReader
from rxtract.reextract import Plan, Reextraction

pytestmark = pytest.mark.stack
RECORDS = {MODEL_COMMANDS: ModelCommand, MODEL_EVENTS: ModelEvent, NOTES_ACCEPTED: NoteAccepted}


@pytest.fixture
def addresses(stack, topic_prefix):
    known = stack.addresses
    topics = load_topics()
    apply_topics(
        {"bootstrap.servers": known.bootstrap_servers}, {name: topics[name] for name in RECORDS}, prefix=topic_prefix
    )
    registry = ConfluentRegistry(known.schema_registry_url)
    for name, record in RECORDS.items():
        registry.register(subject_of(prefixed(topic_prefix, name)), schema_text(record.SCHEMA_NAME))
    return StackAddresses(
        known.bootstrap_servers, known.schema_registry_url, mlflow_url=known.mlflow_url, topic_prefix=topic_prefix
    )


class Answerer:
    """Stands in the trainer's group and answers each order with the given kinds of events."""

    def __init__(self, addresses: StackAddresses, kinds: list[ModelEventKind]) -> None:
        self.group = f"{addresses.topic_prefix}trainer"
        self.orders: list[ModelCommand] = []
        self._addresses, self._kinds = addresses, kinds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        known, prefix = self._addresses, self._addresses.topic_prefix
        registry = ConfluentRegistry(known.schema_registry_url)
        commands, events = prefixed(prefix, MODEL_COMMANDS), prefixed(prefix, MODEL_EVENTS)
        decode, encode = (
            Deserializer.for_topic(ModelCommand, registry, commands),
            Serializer.for_topic(ModelEvent, registry, events),
        )
        consumer = Consumer(
            {"bootstrap.servers": known.bootstrap_servers, "group.id": self.group, "auto.offset.reset": "earliest"}
        )
        consumer.subscribe([commands])
        producer = DeliveryProducer({"bootstrap.servers": known.bootstrap_servers})
        while not self._stop.is_set():
            message = consumer.poll(0.2)
            if message is None or message.error():
                continue
            order = decode(message.value())
            self.orders.append(order)
            answers = [event_of(order, kind) for kind in self._kinds]
            producer.send([OutputRecord(events, b"m", encode(answer)) for answer in answers]).wait(30)
        producer.close(10)
        consumer.close()


def event_of(order: ModelCommand, kind: ModelEventKind) -> ModelEvent:
    return ModelEvent(
        event_id=str(uuid.uuid4()), kind=kind, model_name=order.model_name, model_version="2", serial=None,
        previous_version=None, artifact_sha256=None, command_id=order.command_id, reasons=("because",),
        missing_labels=7 if kind is ModelEventKind.TRAINING_DEFERRED else None, occurred_at=0, metrics={}, merged_into=None,
    )  # fmt: skip


def order() -> ModelCommand:
    return new_command(ModelAction.RETRAIN, "m", "operator-test", champion_version="1")


@pytest.mark.parametrize(
    ("kinds", "outcome"),
    [
        ([ModelEventKind.MODEL_TRAINED, ModelEventKind.PROMOTED], Outcome.DONE),
        ([ModelEventKind.MODEL_TRAINED, ModelEventKind.REJECTED], Outcome.REJECTED),
        ([ModelEventKind.TRAINING_DEFERRED], Outcome.DEFERRED),
    ],
)
def test_an_order_is_published_once_and_followed_to_its_end(addresses, kinds, outcome):
    said: list[str] = []
    with Answerer(addresses, kinds) as trainer:
        answer = carry_out(addresses, order(), trainer_timeout_s=30, timeout_s=30, group=trainer.group, say=said.append)
    assert answer.outcome is outcome
    assert [event.kind for event in answer.events] == kinds
    assert answer.reasons == ("because",)
    assert [one.command_id for one in trainer.orders] == [answer.command_id]
    assert any("ordered" in words for words in said)
    assert json.loads(json.dumps(answer.to_dict()))["outcome"] == outcome


def test_without_a_trainer_nothing_is_ordered(addresses):
    with pytest.raises(UserError, match="no trainer answers"):
        carry_out(addresses, order(), trainer_timeout_s=0.5, timeout_s=5, group=f"{addresses.topic_prefix}nobody")
    assert list(TopicReader(addresses).read([prefixed(addresses.topic_prefix, MODEL_COMMANDS)])) == []


def test_an_order_without_an_answer_times_out_and_stands(addresses):
    with Answerer(addresses, []) as trainer:
        answer = carry_out(addresses, order(), trainer_timeout_s=30, timeout_s=1, group=trainer.group)
    assert answer.outcome is Outcome.TIMED_OUT


def accepted(number: int) -> NoteAccepted:
    return NoteAccepted.from_dict(
        {
            "source": "clinic", "note_id": f"synthetic-{number}", "revision": 1, "prescription_ref": "p", "patient_ref": "p", "doctor_ref": "d",
            "city": "Pune", "specialty": "medicine", "written_at": 0, "text": "c/o fever", "language": "en", "origin": "LIVE",
            "accepted_at": 0,
        }
    )  # fmt: skip


class Kept:
    """The topic of accepted notes, and a group that stands for the extractors' and has read all or only some of it."""

    def __init__(self, addresses: StackAddresses) -> None:
        self.topic = prefixed(addresses.topic_prefix, NOTES_ACCEPTED)
        self._addresses = addresses
        self._encode = Serializer.for_topic(NoteAccepted, ConfluentRegistry(addresses.schema_registry_url), self.topic)

    def add(self, *numbers: int) -> None:
        producer = DeliveryProducer({"bootstrap.servers": self._addresses.bootstrap_servers})
        notes = [accepted(number) for number in numbers]
        producer.send(
            [
                OutputRecord(self.topic, note_key(note.source, note.note_id).encode(), self._encode(note))
                for note in notes
            ]
        ).wait(30)
        producer.close(30)

    def origins(self) -> list[Origin]:
        return [seen.record.origin for seen in TopicReader(self._addresses).read([self.topic])]

    def read_by_extractors(self) -> None:
        group = {"group.id": f"{self._addresses.topic_prefix}rxtract-extractor", "log_level": 0}
        consumer = Consumer({"bootstrap.servers": self._addresses.bootstrap_servers, **group})
        places = [
            TopicPartition(self.topic, number)
            for number in consumer.list_topics(self.topic).topics[self.topic].partitions
        ]
        ends = [consumer.get_watermark_offsets(place, timeout=10)[1] for place in places]
        offsets = [TopicPartition(self.topic, place.partition, end) for place, end in zip(places, ends, strict=True)]
        consumer.commit(offsets=offsets, asynchronous=False)
        consumer.close()


def reextraction(addresses: StackAddresses, plan: Plan, check=lambda: None) -> Reextraction:
    return Reextraction(addresses, plan, group_prefix=addresses.topic_prefix, check=check)


def test_kept_notes_are_sent_again_once_and_a_second_run_goes_on(addresses):
    kept = Kept(addresses)
    kept.add(*range(30))
    kept.read_by_extractors()
    plan = Plan(since_ms=0, serial=1, rate=1_000, max_lag=1_000)
    sent = reextraction(addresses, plan).run()
    assert (sent.total, sent.read, sent.sent) == (30, 30, 30)
    assert sorted(kept.origins()) == [Origin.LIVE] * 30 + [Origin.REEXTRACT] * 30

    kept.add(100)
    again = reextraction(addresses, plan).run()
    assert (again.sent, again.copies, again.earlier) == (1, 30, 30)  # its own copies are not copied
    assert kept.origins().count(Origin.REEXTRACT) == 31


def test_the_next_champion_reads_all_of_them_again(addresses):
    kept = Kept(addresses)
    kept.add(*range(30))
    kept.read_by_extractors()
    for serial in (1, 2):
        sent = reextraction(addresses, Plan(since_ms=0, serial=serial, rate=1_000, max_lag=1_000)).run()
        assert (sent.sent, sent.copies, sent.earlier) == (30, 30 * (serial - 1), 0)
        kept.read_by_extractors()
    assert kept.origins().count(Origin.REEXTRACT) == 60


def test_notes_before_the_time_are_not_sent(addresses):
    kept = Kept(addresses)
    kept.add(1, 2)
    kept.read_by_extractors()
    later_ms = int(time.time() * 1000) + 60_000
    assert reextraction(addresses, Plan(later_ms, serial=1, rate=100, max_lag=10)).run().sent == 0


def test_it_holds_back_while_live_notes_wait(addresses):
    kept = Kept(addresses)
    kept.add(*range(40))
    kept.read_by_extractors()
    kept.add(*range(50, 70))  # twenty wait
    looks = 0

    def check() -> None:
        nonlocal looks
        looks += 1
        if looks == 5:  # held five times: nothing was sent; now the extractors catch up
            assert Origin.REEXTRACT not in kept.origins()
            kept.read_by_extractors()

    sent = reextraction(addresses, Plan(since_ms=0, serial=1, rate=10_000, max_lag=10), check).run()
    assert looks >= 5
    assert sent.held_s > 0
    assert sent.sent == 60
