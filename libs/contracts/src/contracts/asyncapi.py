"""The contract as an AsyncAPI 3.1 document: `python -m contracts.asyncapi` prints it as YAML."""

import json
import sys
from functools import partial
from typing import Any

import yaml

from contracts import files
from contracts.reasons import Reason
from contracts.records import Origin
from contracts.topics import (
    CODECS,
    DLQ_CODEC,
    DLQ_RETENTION_BYTES,
    DLQ_RETENTION_MS,
    Topic,
    dlq_of,
    load_topics,
    subject_of,
)
from contracts.wire import MAX_RECORD_BYTES

VERSION = "1.0.0"
KAFKA_BINDING = "0.5.0"
AVRO_FORMAT = "application/vnd.apache.avro+json;version=1.9.0"
DEAD_LETTER = "DeadLetter"

DESCRIPTION = f"""Events of Rxtract: clinical notes in, diseases and treatments out.

Every value is Avro binary behind five bytes: a zero byte and the big-endian id of its schema in the registry
(Confluent's wire format, TopicNameStrategy). A value has at most {MAX_RECORD_BYTES:,} bytes, header included.
Times are UTC milliseconds. Keys are UTF-8 strings; producers partition them by murmur2, as Java clients do.
A key written source|note_id is both, joined by a bar; a source holds none, so split at the first one.
The broker keeps each topic's batches in the codec named in `compression.type`, whatever their producer chose;
`producer` means as they were sent, in any codec of Kafka.
Examples are synthetic."""


def document() -> dict[str, Any]:
    """Return the AsyncAPI document as plain data, the same for the same files."""
    topics = load_topics()
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Rxtract events",
            "version": VERSION,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "avro/binary",
        "servers": _servers(),
        "channels": {name: channel for topic in topics.values() for name, channel in _channels(topic)},
        "operations": {name: operation for topic in topics.values() for name, operation in _operations(topic)},
        "components": {"messages": _messages(topics)},
    }


def _servers() -> dict[str, Any]:
    return {
        "kafka": {
            "host": "{bootstrap_servers}",
            "protocol": "kafka",
            "title": "Kafka",
            "description": "The cluster, its login and its registry are named by whoever runs the installation.",
            "variables": {
                "bootstrap_servers": {
                    "description": "As in RXTRACT_BOOTSTRAP_SERVERS; host:port, several separated by commas.",
                    "examples": ["kafka-bootstrap:9092"],
                }
            },
            "bindings": {
                "kafka": {
                    "schemaRegistryUrl": "http://schema-registry:8080/apis/ccompat/v7",
                    "schemaRegistryVendor": "apicurio",
                    "bindingVersion": KAFKA_BINDING,
                }
            },
        }
    }


def _channels(topic: Topic) -> list[tuple[str, dict[str, Any]]]:
    channel = {
        "address": topic.name,
        "title": topic.name,
        "description": f"{topic.purpose} Key: {topic.key}. Owner: {topic.owner}.",
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {topic.record: {"$ref": f"#/components/messages/{topic.record}"}},
        "tags": _tags(topic),
        "bindings": {
            "kafka": _topic_binding(
                topic.name, topic.partitions, topic.cleanup_policy, topic.retention_ms, topic.codec
            ),
        },
        "x-subject": subject_of(topic.name),
        "x-codec": topic.codec,
    }
    if not topic.dlq:
        return [(topic.name, channel)]
    name = dlq_of(topic.name)
    dead = {
        "address": name,
        "title": name,
        "description": f"What was refused on {topic.name}: original key, bytes and headers, and why.",
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {DEAD_LETTER: {"$ref": f"#/components/messages/{DEAD_LETTER}"}},
        "bindings": {"kafka": _dead_binding(name)},
        "x-codec": DLQ_CODEC,
    }
    return [(topic.name, channel), (name, dead)]


def _tags(topic: Topic) -> list[dict[str, str]]:
    words = ["public" if topic.public else "internal"] + (["restricted"] if topic.restricted else [])
    return [{"name": word} for word in words]


def _topic_binding(name: str, partitions: int, cleanup_policy: str, retention_ms: int, codec: str) -> dict[str, Any]:
    return {
        "topic": name,
        "partitions": partitions,
        "topicConfiguration": {
            "cleanup.policy": [cleanup_policy],
            "retention.ms": retention_ms,
            "compression.type": CODECS[codec],
        },
        "bindingVersion": KAFKA_BINDING,
    }


def _dead_binding(name: str) -> dict[str, Any]:
    binding = _topic_binding(name, 1, "delete", DLQ_RETENTION_MS, DLQ_CODEC)
    binding["topicConfiguration"]["retention.bytes"] = DLQ_RETENTION_BYTES
    return binding


def _operations(topic: Topic) -> list[tuple[str, dict[str, Any]]]:
    roles = [("send", who) for who in topic.producers] + [
        ("receive", who) for who in (*topic.consumers, *topic.followers)
    ]
    return [
        (
            f"{who}.{action}.{topic.name}",
            {
                "action": action,
                "channel": {"$ref": f"#/channels/{topic.name}"},
                "summary": f"{who} {'writes' if action == 'send' else 'reads'} {topic.record}.",
            },
        )
        for action, who in roles
    ]


def _messages(topics: dict[str, Topic]) -> dict[str, Any]:
    messages = {str(topic.record): _message(topic) for topic in topics.values()}
    messages[DEAD_LETTER] = _dead_letter()
    return dict(sorted(messages.items()))


def _message(topic: Topic) -> dict[str, Any]:
    record = str(topic.record)
    schema = files.record_schema(record)
    return {
        "name": record,
        "title": record,
        "summary": schema["doc"],
        "contentType": "avro/binary",
        "payload": {"schemaFormat": AVRO_FORMAT, "schema": schema},
        "examples": [
            {"name": path.stem, "payload": json.loads(path.read_text(encoding="utf-8"))}
            for path in files.example_files(topic.name)
        ],
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": topic.key},
                "schemaIdLocation": "payload",
                "schemaIdPayloadEncoding": "confluent",
                "schemaLookupStrategy": "TopicNameStrategy",
                "bindingVersion": KAFKA_BINDING,
            }
        },
        "x-subject": subject_of(topic.name),
        "x-compatibility": topic.compatibility,
    }


def _dead_letter() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "name": DEAD_LETTER,
        "title": DEAD_LETTER,
        "summary": "A record that was refused, byte for byte as it came. Original headers are kept beside these.",
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "required": ["rxtract.reason", "rxtract.stage"],
            "properties": {
                "rxtract.reason": {
                    **text,
                    "enum": [reason.value for reason in Reason],
                    "description": " ".join(f"{reason.value}: {reason.sentence}" for reason in Reason),
                },
                "rxtract.origin": {
                    **text,
                    "enum": [origin.value for origin in Origin],
                    "description": "The note's origin; absent where it could not be read.",
                },
                "rxtract.source": {**text, "description": "The note's source; absent where it could not be read."},
                "rxtract.stage": {**text, "description": "The service that refused it."},
                "rxtract.attempt": {**text, "description": "How often it has been tried, in decimal."},
                "rxtract.schema-id": {**text, "description": "The schema id that the value names, in decimal."},
            },
        },
        "payload": {"type": "string", "format": "binary", "description": "The original value."},
    }


class _Dumper(yaml.SafeDumper):
    """Writes each thing out where it stands: readers of YAML aliases are rare."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


to_yaml = partial(yaml.dump, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def text() -> str:
    """Return the document as YAML."""
    head = "# Written by `python -m contracts.generate` from schemas/; do not edit.\n"
    return head + str(to_yaml(document()))


if __name__ == "__main__":
    sys.stdout.write(text())
