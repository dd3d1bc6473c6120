"""Sends notes to Rxtract: one JSON object a line from standard input, until it ends."""

import json
import os
import sys

from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

topic = sys.argv[1] if len(sys.argv) > 1 else "notes.submitted.v1"
registry = SchemaRegistryClient({"url": os.environ["SCHEMA_REGISTRY_URL"]})
# The subject is TOPIC-value. Nothing is registered: the schema is there.
serialize = AvroSerializer(registry, conf={"auto.register.schemas": False, "use.latest.version": True})
producer = Producer(
    {
        "bootstrap.servers": os.environ["BOOTSTRAP_SERVERS"],
        "partitioner": "murmur2_random",  # as Java clients do; the default of librdkafka is another
        "enable.idempotence": True,
        "linger.ms": 5,
    }
)
sent, failed = 0, 0


def delivered(error: KafkaError | None, _message: Message) -> None:
    """Count what the broker acknowledged."""
    global sent, failed  # noqa: PLW0603 - a script
    if error is None:
        sent += 1
    else:
        failed += 1
        print(f"not sent: {error.str()}", file=sys.stderr)


for line in sys.stdin:
    note = json.loads(line)  # written_at is a number: UTC milliseconds
    producer.produce(
        topic,
        key=f"{note['source']}|{note['note_id']}",
        value=serialize(note, SerializationContext(topic, MessageField.VALUE)),
        on_delivery=delivered,
    )
    producer.poll(0)
producer.flush()
print(json.dumps({"sent": sent, "failed": failed}))
sys.exit(1 if failed else 0)
