"""The pages that are made from diagrams and from what is known: one for each diagram, and the reference of alerts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from contracts.topics import dlq_of

from rxtract.design.graph import Kind
from rxtract.design.mermaid import source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contracts.topics import Topic

    from rxtract.design.graph import Diagram
    from rxtract.design.known import Alert, Known, Service

LABEL = re.compile(r"\{\{ \$labels\.(\w+) \}\}")
KINDS_IN_WORDS = "Dark boxes are services, round ones topics, cylinders servers and files, pale ones steps, white ones people and systems outside."


def diagram_page(diagram: Diagram, known: Known) -> str:
    """One diagram with the topics and services that it shows."""
    keys = {node.key for node in diagram.nodes}
    topics = [topic for name, topic in known.topics.items() if name in keys]
    services = [service for name, service in known.services.items() if name in keys]
    return "\n".join(
        [
            f"# {diagram.title}",
            "",
            "Generated from the topic files, the chart's values and `cli/src/rxtract/design/drawings.py`; do not edit.",
            "",
            f"{diagram.sentence} {KINDS_IN_WORDS}",
            "",
            f"Large, in colour: [{diagram.name}.svg](../pictures/{diagram.name}.svg). `make pictures` draws it, and a PDF beside it.",
            "",
            "```mermaid",
            source(diagram).rstrip(),
            "```",
            "",
            *(_topics(topics) if topics else ()),
            *(_services(services) if services else ()),
            *_steps(diagram),
        ]
    )


def alerts_page(known: Known) -> str:
    """Every alert with its severity, sentence and runbook."""
    return "\n".join(
        [
            "# Alerts",
            "",
            "Generated from `deploy/prometheus/alerts.yml`; do not edit. A page wakes somebody, a ticket waits for the morning.",
            "",
            "| Alert | Severity | Says | Runbook |",
            "|---|---|---|---|",
            *(_alert(alert) for alert in known.alerts),
            "",
        ]
    )


def _topics(topics: list[Topic]) -> Iterator[str]:
    yield from ("| Topic | Written by | Read by | Key | Dead letters |", "|---|---|---|---|---|")
    for topic in topics:
        anchor = f"../events/topics.md#{topic.name.replace('.', '')}"
        refused = f"`{dlq_of(topic.name)}`" if topic.dlq else "-"
        read, written = topic.readers, ", ".join(topic.producers)
        yield f"| [`{topic.name}`]({anchor}) | {written} | {read} | `{topic.key}` | {refused} |"
    yield ""


def _services(services: list[Service]) -> Iterator[str]:
    yield from ("| Service | Does | Asks, beside Kafka and the registry | Settings |", "|---|---|---|---|")
    for one in services:
        asks = ", ".join({"mlflow": "MLflow", "redis": "Redis"}[store] for store in one.uses) or "-"
        yield f"| {one.name} | {one.sentence} | {asks} | [settings](../reference/settings.md#{one.name}) |"
    yield ""


def _steps(diagram: Diagram) -> Iterator[str]:
    steps = [node for node in diagram.nodes if node.kind is Kind.STEP]
    if steps:
        yield from ("| Step | What it is about |", "|---|---|")
        yield from (f"| {step.name} | {'; '.join(step.small)} |" for step in steps)
        yield ""


def _alert(alert: Alert) -> str:
    page = alert.runbook.removeprefix("docs/")
    name = page.removeprefix("runbooks/").removesuffix(".md")
    says = LABEL.sub(lambda found: f"*{found.group(1)}*", alert.summary)
    return f"| `{alert.name}` | {alert.severity} | {says} | [{name}](../{page}) |"
