"""What the system itself says of its parts: topic files, services' packages, chart values, Prometheus jobs and alerts."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from contracts.topics import Topic, load_topics

from rxtract.checkout import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Service:
    """A folder of services/.

    Attributes:
        name: Of the folder.
        sentence: Its package's description.
        faust: Whether it runs on Faust.
        uses: Servers beside Kafka and the registry, as the chart connects them.
        reads: Topic of its consumer group by whose lag it is scaled, when it is.
        replicas: Least and most replicas in the chart.
    """

    name: str
    sentence: str
    faust: bool
    uses: tuple[str, ...]
    replicas: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert rule with its runbook."""

    name: str
    severity: str
    summary: str
    runbook: str


@dataclass(frozen=True, slots=True)
class Known:
    """All of it."""

    topics: Mapping[str, Topic]
    services: Mapping[str, Service]
    scraped: frozenset[str]
    alerts: tuple[Alert, ...]


def read() -> Known:
    """Read the files of the checkout."""
    prometheus = _yaml("deploy/prometheus/prometheus.yml")
    rules = _yaml("deploy/prometheus/alerts.yml")
    return Known(
        topics=load_topics(),
        services={name: _service(name, values) for name, values in _chart().items()},
        scraped=frozenset(job["job_name"] for job in prometheus["scrape_configs"]),
        alerts=tuple(_alert(rule) for group in rules["groups"] for rule in group["rules"]),
    )


def _chart() -> dict[str, Any]:
    services: dict[str, Any] = _yaml("deploy/helm/rxtract/values.yaml")["services"]
    return services


def _service(name: str, values: Mapping[str, Any]) -> Service:
    project = tomllib.loads((CHECKOUT / f"services/{name}/pyproject.toml").read_text(encoding="utf-8"))["project"]
    scaling = values.get("scaling") or {}
    least = int(scaling.get("min", values["replicas"]))
    return Service(
        name=name,
        sentence=project["description"],
        faust=any("faust" in wanted for wanted in project["dependencies"]),
        uses=tuple(values.get("uses") or ()),
        replicas=(least, int(scaling.get("max", least))),
    )


def _alert(rule: Mapping[str, Any]) -> Alert:
    words = rule["annotations"]
    return Alert(rule["alert"], rule["labels"]["severity"], words["summary"], words["runbook_url"])


def _yaml(path: str) -> Any:
    return yaml.safe_load((CHECKOUT / path).read_text(encoding="utf-8"))
