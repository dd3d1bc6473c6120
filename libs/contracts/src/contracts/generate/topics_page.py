"""Writes docs/events/topics.md: what each topic is for, who writes and reads it, and every field."""

import json
from typing import Any

from contracts.generate.tree import named_types, optional
from contracts.topics import Topic, dlq_of, load_topics

HEAD = """# Topics and records

Written by `python -m contracts.generate` from `schemas/`; do not edit. The same as AsyncAPI: [asyncapi.yaml](asyncapi.yaml).

Every value is Avro behind five bytes, a zero byte and the schema's id (Confluent's wire format). Times are UTC
milliseconds. A topic with a dead-letter topic has it under its own name with `.dlq` behind.

A key `source|note_id` is both, joined by a bar; a source holds none, so split at the first one. The broker keeps the batches
of a topic in its codec, whatever their producer chose: what other teams read is not compressed, because stock kafkajs reads no
LZ4. Only what the platform writes stays as it was sent, in any codec of Kafka.
"""

DAY_MS = 24 * 3600 * 1000


def source() -> str:
    """Return the text of docs/events/topics.md."""
    topics = list(load_topics().values())
    types = named_types()
    tops = {topic.record for topic in topics}
    parts = [HEAD, _diagram(topics), _table(topics), "## Each topic\n"]
    parts += [_topic(topic, types) for topic in topics]
    parts.append("## Parts of records\n")
    parts += [_part(schema) for name, schema in sorted(types.items()) if name not in tops]
    return "\n".join(parts)


def _diagram(topics: list[Topic]) -> str:
    lines = ["```mermaid", "flowchart LR"]
    services = sorted({who for topic in topics for who in (*topic.producers, *topic.consumers, *topic.followers)})
    lines += [f"  {_id(who)}[{who}]" for who in services]
    lines += [f"  {_id(topic.name)}([{topic.name}])" for topic in topics]
    for topic in topics:
        lines += [f"  {_id(who)} --> {_id(topic.name)}" for who in topic.producers]
        lines += [f"  {_id(topic.name)} --> {_id(who)}" for who in topic.consumers]
        lines += [f"  {_id(topic.name)} -.-> {_id(who)}" for who in topic.followers]
    return "\n".join([*lines, "```", ""])


def _id(name: str) -> str:
    return name.replace(".", "_").replace("-", "_")


def _table(topics: list[Topic]) -> str:
    rows = [
        "| Topic | Key | Record | Written by | Read by | Partitions | Kept | Codec | Compatibility | Dead letters |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for topic in topics:
        cells = (
            f"[`{topic.name}`](#{topic.name.replace('.', '')}){_mark(topic)}",
            f"`{topic.key}`".replace("|", "\\|"),  # a bar would end the table's cell
            f"`{topic.record}`",
            ", ".join(topic.producers),
            topic.readers,
            str(topic.partitions),
            _kept(topic),
            topic.codec,
            topic.compatibility,
            f"`{dlq_of(topic.name)}`" if topic.dlq else "none",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([*rows, ""])


def _mark(topic: Topic) -> str:
    if topic.public:
        return " public"
    return " restricted" if topic.restricted else ""


def _kept(topic: Topic) -> str:
    if topic.cleanup_policy == "compact":
        return "newest of each key"
    return "for ever" if topic.retention_ms < 0 else f"{topic.retention_ms // DAY_MS} days"


def _topic(topic: Topic, types: dict[str, dict[str, Any]]) -> str:
    schema = types[str(topic.record)]
    lines = [f"### {topic.name}", "", topic.purpose.strip(), "", f"Owner: {topic.owner}.", ""]
    return "\n".join([*lines, f"**{schema['name']}**: {schema['doc']}", "", *_fields(schema), ""])


def _part(schema: dict[str, Any]) -> str:
    lines = [f"### {schema['name']}", "", schema["doc"], ""]
    if schema["type"] == "enum":
        symbols = ", ".join(f"`{symbol}`" for symbol in schema["symbols"])
        return "\n".join([*lines, f"One of {symbols}; read as `{schema['default']}` when unknown.", ""])
    return "\n".join([*lines, *_fields(schema), ""])


def _fields(schema: dict[str, Any]) -> list[str]:
    rows = ["| Field | Type | Default | What it is |", "|---|---|---|---|"]
    for field in schema["fields"]:
        default = f"`{json.dumps(field['default'])}`" if "default" in field else ""
        rows.append(f"| `{field['name']}` | {_type(field['type'])} | {default} | {field['doc']} |")
    return rows


def _type(schema: Any) -> str:
    inner = optional(schema)
    if inner is not None:
        return f"{_type(inner)} or null"
    if isinstance(schema, dict) and schema["type"] == "array":
        return f"list of {_type(schema['items'])}"
    if isinstance(schema, dict):
        return f"map of {_type(schema['values'])}"
    return f"[{schema}](#{schema.lower()})" if schema[0].isupper() else str(schema)
