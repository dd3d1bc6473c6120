"""The clients of examples/clients in each language: what they write we read, what we write they read, after a new schema too.

`make clients-test` runs the same clients against the services.
"""

import contextlib
import io
import itertools
import json
import time
import uuid
from collections import defaultdict

import fastavro
import pytest
from aiokafka.partitioner import murmur2
from confluent_kafka import Consumer, Producer, TopicPartition
from contracts.apply import apply_topics
from contracts.files import example_files, record_schema, schema_text
from contracts.records import NoteSubmitted
from contracts.registry import ConfluentRegistry
from contracts.topics import ENTITIES_EXTRACTED, NOTES_SUBMITTED, load_topics, subject_of
from contracts.wire import Deserializer
from embedded_stack.errors import StackError

from tests.clients.languages import LANGUAGES, Client, ClientFailed, environment, language
from tests.deploy.found import IN_CI

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

SECONDS = 60
SOURCES = ("clinic-app", "ward-2")


def partition_of(key: bytes, partitions: int) -> int:
    """Return where a client of Java, or one that does as Java does, puts a key: by the hash of another client."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


@pytest.fixture(scope="module", params=LANGUAGES)
def spoken(request):
    """A language's clients. A person without its tool skips its tests; in CI they fail."""
    try:
        return language(request.param)
    except (ClientFailed, StackError) as error:
        if IN_CI:
            raise
        pytest.skip(f"no {request.param} clients: {error}")


class Rig:
    """Two topics with their subjects, and the other end of each."""

    def __init__(self, addresses, prefix, folder):
        self.addresses, self.folder = addresses, folder
        self.kafka = {"bootstrap.servers": addresses.bootstrap_servers}
        self.registry = ConfluentRegistry(addresses.schema_registry_url)
        self.submitted, self.extracted = prefix + NOTES_SUBMITTED, prefix + ENTITIES_EXTRACTED
        public = [load_topics()[name] for name in (NOTES_SUBMITTED, ENTITIES_EXTRACTED)]
        apply_topics(self.kafka, public, prefix)
        for topic in public:
            subject = subject_of(prefix + topic.name)
            self.registry.set_compatibility(subject, topic.compatibility)
            self.registry.register(subject, schema_text(topic.record))

    def start(self, words, topic):
        where = environment(self.addresses, group=uuid.uuid4().hex)
        return Client(words, topic, where, self.folder / "client.log")

    def newer_notes(self):
        """Register a schema of notes that has one more field, in the middle."""
        schema = record_schema("NoteSubmitted")
        schema["fields"].insert(2, {"name": "ward", "type": "string", "default": "", "doc": "Ward."})
        return self.registry.register(subject_of(self.submitted), json.dumps(schema))

    def newer_entities(self):
        """Register a schema of entities that has one more field, in the middle, and one more label; returns how to write by it."""
        text = schema_text("EntitiesExtracted").replace('"TREATMENT"', '"TREATMENT", "ALLERGEN"')
        schema = json.loads(text)
        schema["fields"].insert(2, {"name": "checked", "type": "boolean", "default": False, "doc": "Checked."})
        schema_id = self.registry.register(subject_of(self.extracted), json.dumps(schema))
        return written_by(schema, schema_id)

    def entities(self):
        """How to write entities by today's schema."""
        text = schema_text("EntitiesExtracted")
        return written_by(json.loads(text), self.registry.lookup(subject_of(self.extracted), text))

    def notes(self, count):
        """So many submitted notes as (partition, key, note), each partition's in order."""
        decode = Deserializer.for_topic(NoteSubmitted, self.registry, self.submitted)
        consumer = Consumer({**self.kafka, "group.id": "referee", "enable.auto.commit": False})
        with contextlib.closing(consumer):
            parts = consumer.list_topics(self.submitted, timeout=10).topics[self.submitted].partitions
            consumer.assign([TopicPartition(self.submitted, number, 0) for number in parts])
            found = []
            deadline = time.monotonic() + SECONDS
            while len(found) < count and time.monotonic() < deadline:
                for message in consumer.consume(100, 0.2):
                    assert message.error() is None
                    found.append((message.partition(), message.key(), decode(message.value())))
            return found


def written_by(schema, schema_id):
    parsed = fastavro.parse_schema(schema)

    def write(event):
        buffer = io.BytesIO(b"\x00" + schema_id.to_bytes(4, "big"))
        buffer.seek(5)
        fastavro.schemaless_writer(buffer, parsed, event)
        return buffer.getvalue()

    return write


@pytest.fixture
def rig(stack, topic_prefix, tmp_path):
    return Rig(stack.addresses, topic_prefix, tmp_path)


def submitted(number, **more):
    note = json.loads(example_files(NOTES_SUBMITTED)[0].read_text())
    return {**note, "source": SOURCES[number % 2], "note_id": f"n|{number // 2}", **more}


def test_what_a_producer_writes_is_read(rig, spoken):
    """By a schema that is newer than the client: `ward` is not in what it was given."""
    rig.newer_notes()
    first = [submitted(number, text=f"बुखार 🌡 {number}\r\n") for number in range(20)]
    second = [{**note, "revision": note["revision"] + 1} for note in first]
    with rig.start(spoken.producer, rig.submitted) as producer:
        for note in first:
            producer.give(note)
        for note in second:
            producer.give(note)
        assert producer.finish(SECONDS)["sent"] == 40
    found = rig.notes(40)
    by_identity = defaultdict(list)
    for partition, key, note in found:
        assert key == f"{note.source}|{note.note_id}".encode()
        assert partition == partition_of(key, 12)
        by_identity[note.source, note.note_id].append(note)
    for one, two in zip(first, second, strict=True):
        told = by_identity[one["source"], one["note_id"]]
        assert [note.revision for note in told] == [one["revision"], two["revision"]]
        for field in ("prescription_id", "patient_ref", "doctor_ref", "city", "specialty", "written_at", "text"):
            assert getattr(told[0], field) == one[field]


def extracted(note_id, order=(1, 1, 1), source=SOURCES[0], example=0, **more):
    event = json.loads(example_files(ENTITIES_EXTRACTED)[example].read_text())
    revision, serial, rules = order
    model = {**event["model"], "serial": serial}
    own = {"source": source, "note_id": note_id, "revision": revision, "model": model, "rules_serial": rules}
    return {**event, **own, **more}


def last():
    """An event by a newer schema, with a label that nobody knows yet, on the partition of note `a`: read after all of it."""
    place = partition_of(f"{SOURCES[0]}|a".encode(), 12)
    names = (f"last-{number}" for number in itertools.count())
    event = extracted(next(name for name in names if partition_of(f"{SOURCES[0]}|{name}".encode(), 12) == place))
    event["entities"][0]["label"] = "ALLERGEN"
    return {**event, "checked": True}


LAST = last()
EVENTS = [
    extracted("a", (1, 1, 1)),
    extracted("a", (2, 1, 1), example=1),
    extracted("a", (2, 1, 1), example=1),  # a repeat
    extracted("a", (1, 9, 9)),  # an older wording by a newer model
    extracted("b", (1, 2, 0)),
    extracted("b", (1, 10, 0)),  # numbers, not words
    extracted("b", (1, 2, 7)),
    extracted("c", (1, 3, 1)),
    extracted("c", (1, 3, 2), example=2),
    extracted("a", (1, 5, 1), source=SOURCES[1]),  # another note: its source differs
]
KEPT = {
    (SOURCES[0], "a"): (2, 1, 1),
    (SOURCES[0], "b"): (1, 10, 0),
    (SOURCES[0], "c"): (1, 3, 2),
    (SOURCES[1], "a"): (1, 5, 1),
    (SOURCES[0], LAST["note_id"]): (1, 1, 1),
}


def publish(rig, events, write, *, abort=False, transaction=False):
    """By our partitioner; in a transaction if asked. Sent in a codec that kafkajs has not: what counts is how the topic keeps it."""
    more = {"transactional.id": uuid.uuid4().hex} if transaction or abort else {}
    producer = Producer({**rig.kafka, "compression.type": "lz4", **more})
    if more:
        producer.init_transactions(30)
        producer.begin_transaction()
    for event in events:
        key = f"{event['source']}|{event['note_id']}"
        producer.produce(rig.extracted, write(event), key, partition_of(key.encode(), 12))
    assert producer.flush(30) == 0
    if more:
        (producer.abort_transaction if abort else producer.commit_transaction)(30)


def kept(rows):
    return {(one["source"], one["note_id"]): _order(one) for one in rows}


def _order(row):
    return row["revision"], row["model_serial"], row["rules_serial"]


def until(client, wanted):
    deadline = time.monotonic() + SECONDS
    while kept(client.rows) != wanted:
        client.check_runs()
        assert time.monotonic() < deadline, (client.rows, client.logged())
        time.sleep(0.05)


def test_a_consumer_keeps_the_row_that_counts(rig, spoken):
    write = rig.entities()
    publish(rig, EVENTS, write)
    publish(rig, [extracted("a", (9, 9, 9))], write, abort=True)
    publish(rig, [LAST], rig.newer_entities(), transaction=True)
    with rig.start(spoken.consumer, rig.extracted) as consumer:
        until(consumer, KEPT)
        (row,) = [one for one in consumer.rows if one["note_id"] == LAST["note_id"]]
    (label, *labels), (expected, *others) = ([one["label"] for one in event["entities"]] for event in (row, LAST))
    assert label in {expected, "UNKNOWN"}, "a label that it does not know: as written, or its enum's default"
    assert labels == others
    assert [one["text"] for one in row["entities"]] == [one["text"] for one in LAST["entities"]]
