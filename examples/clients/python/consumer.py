"""Reads entities from Rxtract and keeps one row a note: prints each row that it keeps."""

import json
import os
import sys

from confluent_kafka import Consumer, KafkaException
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

topic = sys.argv[1] if len(sys.argv) > 1 else "entities.extracted.v1"
registry = SchemaRegistryClient({"url": os.environ["SCHEMA_REGISTRY_URL"]})
deserialize = AvroDeserializer(registry)
consumer = Consumer(
    {
        "bootstrap.servers": os.environ["BOOTSTRAP_SERVERS"],
        "group.id": os.environ.get("GROUP_ID", "my-entities"),
        "auto.offset.reset": "earliest",  # a new group begins with what is kept
        "enable.auto.commit": False,  # committed below, after the row is stored
    }
)
consumer.subscribe([topic])
kept: dict[tuple[str, str], tuple[int, int, int]] = {}  # stands for your table; its primary key is (source, note_id)

while True:
    message = consumer.poll(1.0)
    if message is None:
        continue
    if message.error():
        raise KafkaException(message.error())
    event = deserialize(message.value(), SerializationContext(topic, MessageField.VALUE))  # times become datetimes
    note = event["source"], event["note_id"]
    order = event["revision"], event["model"]["serial"], event["rules_serial"]
    if note not in kept or order > kept[note]:  # else a repeat after a rebalance, or older than what we have
        kept[note] = order
        row = {"source": note[0], "note_id": note[1]}
        row |= dict(zip(("revision", "model_serial", "rules_serial"), order, strict=True))
        row["entities"] = [{"label": one["label"], "text": one["text"]} for one in event["entities"]]
        print(json.dumps(row), flush=True)
    consumer.commit(message, asynchronous=True)
