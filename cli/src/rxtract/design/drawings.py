"""Which diagrams there are. Records' ways follow from the topic files; only steps that no file knows are written here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from contracts import topics as t

from rxtract.design.graph import Diagram, Edge, Kind, Node, Style, Way

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from contracts.topics import Topic

    from rxtract.design.known import Known, Service

DAY_MS = 24 * 3600 * 1000
OUTSIDE = {
    "platform": Node("platform", "BeHealthy platform", Kind.OUTSIDE, ("e-prescriptions",)),
    "downstream": Node("downstream", "Downstream consumers", Kind.OUTSIDE),
    "operator": Node("operator", "Operator", Kind.OUTSIDE, ("rxtract model",)),
    "importer": Node("importer", "Importer", Kind.OUTSIDE, ("rxtract dataset import --publish",)),
    "alerts": Node("alerts", "Alert readers", Kind.OUTSIDE),
    "auditors": Node("auditors", "Auditors", Kind.OUTSIDE, ("who saw which note",)),
}
"""Who writes or reads topics and is no service of ours."""
STORES = {
    "mlflow": Node("mlflow", "MLflow", Kind.STORE, ("runs, versions, aliases",)),
    "redis": Node("redis", "Redis", Kind.STORE, ("deduplication, leases, queue",)),
    "registry": Node("registry", "Schema registry", Kind.STORE, ("Avro, compatibility",)),
    "parquet": Node("parquet", "Records at rest", Kind.STORE, ("Parquet, manifest",)),
    "prometheus": Node("prometheus", "Prometheus", Kind.STORE, ("/metrics every 15 s",)),
    "alertmanager": Node("alertmanager", "Alertmanager", Kind.STORE),
    "grafana": Node("grafana", "Grafana", Kind.STORE, ("three dashboards",)),
}
WAYS = {
    t.NOTES_SUBMITTED: Way.INFERENCE,
    t.NOTES_ACCEPTED: Way.INFERENCE,
    t.ENTITIES_EXTRACTED: Way.INFERENCE,
    t.ENTITIES_CODED: Way.INFERENCE,
    t.RECORDS_FHIR: Way.INFERENCE,
    t.WEBHOOK_DELIVERIES: Way.INFERENCE,
    t.STATISTICS_OBSERVED: Way.MONITORING,
    t.DRIFT_STATE: Way.MONITORING,
    t.DRIFT_DETECTED: Way.MONITORING,
    t.QUALITY_MEASURED: Way.MONITORING,
    t.REVIEW_REQUESTED: Way.REVIEW,
    t.ACCESS_LOGGED: Way.REVIEW,
    t.DRIFT_WORDS: Way.REVIEW,
    t.DESK_CHANGED: Way.REVIEW,
    t.ANNOTATIONS_VALIDATED: Way.REVIEW,
    t.ANNOTATORS_JUDGED: Way.REVIEW,
    t.MODEL_COMMANDS: Way.TRAINING,
    t.MODEL_EVENTS: Way.TRAINING,
}
BACK = frozenset(
    {
        (t.MODEL_EVENTS, "extractor"),
        (t.MODEL_EVENTS, "answerer"),
        (t.MODEL_EVENTS, "drift-watcher"),
        (t.MODEL_EVENTS, "review-desk"),
        (t.MODEL_EVENTS, "scorekeeper"),
        (t.DRIFT_DETECTED, "extractor"),
        (t.DRIFT_DETECTED, "review-desk"),
        (t.DRIFT_DETECTED, "scorekeeper"),
        (t.QUALITY_MEASURED, "extractor"),
        (t.QUALITY_MEASURED, "trainer"),
        (t.QUALITY_MEASURED, "scorekeeper"),
        (t.DRIFT_STATE, "drift-watcher"),
        (t.ENTITIES_CODED, "enricher"),
        (t.ANNOTATORS_JUDGED, "review-desk"),
        ("trainer", t.MODEL_COMMANDS),
        ("mlflow", "extractor"),
        ("mlflow", "answerer"),
    }
)
"""Arrows that lead back to an earlier part of the way: they take no part in the layout."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """A diagram before the known facts are filled in.

    Attributes:
        topics: Whose producers and consumers are drawn, as far as they are among `parties`.
        parties: Services, outsiders and stores.
        steps: What no file names: commands, people, files.
        arrows: Between steps and everything else.
        refused: Whether dead letters are drawn.
        asking: Services whose questions to MLflow and Redis are drawn, as the chart connects them.
        back: Arrows that take no part in the layout.
        elsewhere: Arrows that another diagram shows.
    """

    name: str
    title: str
    sentence: str
    topics: tuple[str, ...]
    parties: tuple[str, ...]
    steps: tuple[Node, ...] = ()
    arrows: tuple[Edge, ...] = ()
    refused: bool = False
    asking: tuple[str, ...] = ()
    back: frozenset[tuple[str, str]] = BACK
    elsewhere: frozenset[tuple[str, str]] = frozenset()


def diagrams(known: Known) -> tuple[Diagram, ...]:
    """All diagrams, the complete stack first."""
    return tuple(_filled(sketch, known) for sketch in (_stack(known), *PIPELINES))


def _stack(known: Known) -> Sketch:
    asks = [name for name, one in known.services.items() if "redis" in one.uses]
    scaled = [name for name, one in known.services.items() if one.replicas[1] > one.replicas[0]]
    return Sketch(
        name="stack",
        title="The complete stack",
        sentence="Every service, topic and server, from the note to the record, the model and the alert, and how a change gets there.",
        topics=tuple(known.topics),
        parties=(*OUTSIDE, *known.services, "mlflow", "parquet", "alertmanager", "grafana"),
        asking=tuple(known.services),
        steps=(
            Node("registry", "Schema registry", Kind.STORE, ("asked by every producer", "and consumer")),
            Node("redis", "Redis", Kind.STORE, ("deduplication, leases, queue; asked by", *_lines(asks))),
            Node("prometheus", "Prometheus", Kind.STORE, ("reads /metrics of", *_lines(sorted(known.scraped)))),
            Node("validators", "Validators", Kind.OUTSIDE, ("browser",)),
            Node("scientist", "Data scientist", Kind.OUTSIDE, ("rxtract experiment, train",)),
            Node("owner", "Business owner", Kind.OUTSIDE, ("control page, SQL",)),
            Node("oncall", "SRE on call", Kind.OUTSIDE, (f"{len(known.alerts)} alerts, each with a runbook",)),
            Node("ci", "CI", Kind.STEP, ("make test, make demo",)),
            Node(
                "images", "make images", Kind.STEP, (f"{len(known.services) + 1} images, checked; bills of materials",)
            ),
            Node(
                "chart",
                "helm upgrade --atomic",
                Kind.STEP,
                ("contract job, then each service;", "back by itself when not ready"),
            ),
            Node("cluster", "Kubernetes", Kind.STORE, ("runs every dark box; lag scales", *_lines(scaled))),
        ),
        arrows=(
            Edge("platform", "ingestor", "HTTP", way=Way.INFERENCE),
            Edge("platform", "answerer", "HTTP, answered at once", way=Way.INFERENCE),
            Edge("notifier", "platform", "webhooks", back=True, way=Way.INFERENCE),
            Edge("validators", "review-desk", "decide", way=Way.REVIEW),
            Edge("scientist", "mlflow", "runs"),
            Edge("scorekeeper", "parquet"),
            Edge("scorekeeper", "owner", "page"),
            Edge("ledger", "scorekeeper", "every note accounted for"),
            Edge("parquet", "owner", "rxtract sql"),
            Edge("prometheus", "alertmanager"),
            Edge("prometheus", "grafana", style=Style.ASKED),
            Edge("alertmanager", "oncall", "pages, tickets"),
            Edge("ci", "images", "a person, when green"),
            Edge("images", "chart"),
            Edge("chart", "cluster"),
        ),
    )


def _lines(names: Sequence[str], most: int = 3) -> Iterator[str]:
    """Names in lines of a few."""
    for start in range(0, len(names), most):
        yield ", ".join(names[start : start + most])


PIPELINES = (
    Sketch(
        name="experimentation",
        title="Data and model experimentation",
        sentence="A data scientist's way from annotated files to a registered version. It ends at the gate, not in production.",
        topics=(t.MODEL_COMMANDS,),
        parties=("operator", "trainer", "mlflow"),
        steps=(
            Node("files", "Annotated files", Kind.OUTSIDE, ("pairs, CoNLL, JSON lines",)),
            Node("import", "rxtract dataset import", Kind.STEP, ("canonical lines, digest",)),
            Node("check", "rxtract dataset check", Kind.STEP, ("contradictions, leakage",)),
            Node("experiment", "rxtract experiment", Kind.STEP, ("search, cv, ablation, learning-curve",)),
            Node("train", "rxtract train --register", Kind.STEP, ("artifact, card, digest",)),
            Node("compare", "rxtract compare", Kind.STEP, ("paired bootstrap",)),
        ),
        arrows=(
            Edge("files", "import"),
            Edge("import", "check", "notes.jsonl"),
            Edge("check", "experiment"),
            Edge("experiment", "train", "configuration"),
            Edge("train", "compare", "version"),
            Edge("compare", "operator", "worth offering"),
            Edge("import", "mlflow", "digest", Style.ASKED),
            Edge("experiment", "mlflow", "nested runs", Style.ASKED),
            Edge("train", "mlflow", "run, version", Style.ASKED),
        ),
    ),
    Sketch(
        name="data",
        title="The automated data pipeline",
        sentence="From annotations to a data set with fixed roles. It runs at the start of every training, or by a command.",
        topics=(t.ANNOTATIONS_VALIDATED,),
        parties=("review-desk", "importer", "mlflow"),
        steps=(
            Node("collect", "collect", Kind.STEP, ("newest verdict, adjudicated, valid offsets",)),
            Node("roles", "roles", Kind.STEP, ("keyed hash of the patient",)),
            Node("leakage", "near-duplicates", Kind.STEP, ("dropped across roles",)),
            Node("corpus", "Shipped corpus", Kind.STORE, ("synthetic, seeded",)),
            Node("train", "train", Kind.STORE, ("teaches",)),
            Node("recent", "recent", Kind.STORE, ("judges drift runs",)),
            Node("gold", "gold", Kind.STORE, ("frozen, judges all",)),
        ),
        arrows=(
            Edge(t.ANNOTATIONS_VALIDATED, "collect"),
            Edge("collect", "roles"),
            Edge("roles", "leakage"),
            Edge("leakage", "train"),
            Edge("leakage", "recent"),
            Edge("leakage", "gold"),
            Edge("corpus", "train"),
            Edge("train", "mlflow", "digests", Style.ASKED),
            Edge("recent", "mlflow", style=Style.ASKED),
            Edge("gold", "mlflow", style=Style.ASKED),
        ),
    ),
    Sketch(
        name="training",
        title="The automated training pipeline",
        sentence="An order, a job in a process of its own, a gate, an alias that moves or does not, and one event that ends the order.",
        topics=(t.MODEL_COMMANDS, t.MODEL_EVENTS, t.ANNOTATIONS_VALIDATED, t.QUALITY_MEASURED),
        parties=("operator", "drift-watcher", "review-desk", "scorekeeper", "trainer", "extractor", "mlflow", "redis"),
        steps=(
            Node("job", "lifecycle.job", Kind.STEP, ("data set, train, judge, shadow",)),
            Node("gate", "the gate", Kind.STEP, ("pass, reject, defer",)),
        ),
        arrows=(
            Edge("trainer", "job", "starts"),
            Edge("job", "gate", "evidence"),
            Edge("gate", "mlflow", "report, alias", way=Way.TRAINING),
        ),
        asking=("trainer", "extractor"),
        back=frozenset(
            {
                (t.QUALITY_MEASURED, "scorekeeper"),
                ("trainer", t.MODEL_COMMANDS),
                (t.MODEL_EVENTS, "scorekeeper"),
                (t.MODEL_EVENTS, "drift-watcher"),
            }
        ),
        elsewhere=frozenset({(t.MODEL_EVENTS, "review-desk"), (t.ANNOTATIONS_VALIDATED, "scorekeeper")}),
    ),
    Sketch(
        name="inference",
        title="The automated inference pipeline",
        sentence="A note in, its entities and their codes out, or a dead letter with its reason.",
        topics=(
            t.NOTES_SUBMITTED,
            t.NOTES_ACCEPTED,
            t.ENTITIES_EXTRACTED,
            t.ENTITIES_CODED,
            t.RECORDS_FHIR,
            t.MODEL_EVENTS,
        ),
        parties=(
            "platform",
            "ingestor",
            "extractor",
            "answerer",
            "enricher",
            "scorekeeper",
            "notifier",
            "downstream",
            "trainer",
            "mlflow",
            "redis",
        ),
        arrows=(
            Edge("notifier", "platform", "webhooks", back=True, way=Way.INFERENCE),
            Edge("platform", "ingestor", "POST /v1/notes", way=Way.INFERENCE),
            Edge("platform", "answerer", "POST /v1/extract", way=Way.INFERENCE),
        ),
        refused=True,
        asking=("ingestor", "extractor", "answerer", "trainer"),
        back=frozenset({(t.ENTITIES_CODED, "enricher")}),
        elsewhere=frozenset({(t.MODEL_EVENTS, "scorekeeper"), ("trainer", "redis")}),
    ),
    Sketch(
        name="monitoring",
        title="The continuous monitoring pipeline",
        sentence="Statistics become drift events, people's audit becomes quality, metrics become alerts, and all of it one page.",
        topics=(
            t.STATISTICS_OBSERVED,
            t.DRIFT_STATE,
            t.DRIFT_DETECTED,
            t.MODEL_COMMANDS,
            t.ENTITIES_EXTRACTED,
            t.ANNOTATIONS_VALIDATED,
            t.QUALITY_MEASURED,
        ),
        parties=(
            "extractor",
            "drift-watcher",
            "review-desk",
            "scorekeeper",
            "trainer",
            "prometheus",
            "alertmanager",
            "grafana",
        ),
        steps=(
            Node("page", "Control page", Kind.STEP, ("KPIs, quality, drift",)),
            Node("oncall", "SRE on call", Kind.OUTSIDE, ("runbook of the alert",)),
        ),
        arrows=(
            Edge("scorekeeper", "page"),
            Edge("scorekeeper", "prometheus", "KPIs", Style.ASKED),
            Edge("drift-watcher", "prometheus", "/metrics", Style.ASKED),
            Edge("extractor", "prometheus", "/metrics", Style.ASKED),
            Edge("prometheus", "alertmanager", "rules"),
            Edge("prometheus", "grafana", style=Style.ASKED),
            Edge("alertmanager", "oncall"),
        ),
        elsewhere=frozenset({(t.ANNOTATIONS_VALIDATED, "trainer"), ("trainer", t.MODEL_COMMANDS)}),
    ),
    Sketch(
        name="review",
        title="The review loop",
        sentence="Unsure, drifted and randomly audited notes reach people; their words teach and measure.",
        topics=(
            t.REVIEW_REQUESTED,
            t.DRIFT_WORDS,
            t.DRIFT_DETECTED,
            t.ANNOTATIONS_VALIDATED,
            t.ANNOTATORS_JUDGED,
            t.DESK_CHANGED,
        ),
        parties=("extractor", "drift-watcher", "review-desk", "trainer", "scorekeeper", "redis"),
        steps=(
            Node("validators", "Validators", Kind.OUTSIDE, ("keyboard, outbox, back",)),
            Node("lead", "Lead", Kind.OUTSIDE, ("adjudicates",)),
        ),
        arrows=(
            Edge("review-desk", "validators", "next note, decision", way=Way.REVIEW),
            Edge("validators", "review-desk", back=True, way=Way.REVIEW),
            Edge("lead", "review-desk", way=Way.REVIEW),
        ),
        asking=("review-desk",),
    ),
)


def _filled(sketch: Sketch, known: Known) -> Diagram:
    listed = [*_parties(sketch, known), *(_topic(known.topics[name]) for name in sketch.topics), *sketch.steps]
    if sketch.refused:
        listed.append(Node("dlq", "dead letters", Kind.TOPIC, (".dlq, reason, original bytes",)))
    edges = [*_records(sketch, known), *sketch.arrows]
    if sketch.refused:
        edges += _refused(sketch, known)
    edges += _asked(sketch, known)
    shown = [edge for edge in edges if (edge.source, edge.target) not in sketch.elsewhere]
    drawn = {key for edge in shown for key in (edge.source, edge.target)}
    nodes = tuple(node for node in listed if node.key in drawn or node in sketch.steps)
    turned = tuple(replace(e, back=True) if (e.source, e.target) in sketch.back else e for e in shown)
    return Diagram(sketch.name, sketch.title, sketch.sentence, nodes, turned)


def _parties(sketch: Sketch, known: Known) -> Iterator[Node]:
    for name in sketch.parties:
        yield OUTSIDE.get(name) or STORES.get(name) or _service(known.services[name])


def _records(sketch: Sketch, known: Known) -> Iterator[Edge]:
    """Who writes a topic and who works on it, from the topic's file. Who only follows it stands on the page of topics."""
    for name in sketch.topics:
        topic = known.topics[name]
        way = WAYS[name]
        yield from (Edge(who, name, way=way) for who in topic.producers if who in sketch.parties)
        yield from (Edge(name, who, way=way) for who in topic.consumers if who in sketch.parties)


def _refused(sketch: Sketch, known: Known) -> Iterator[Edge]:
    """Which service dead-letters what it cannot use: the service that reads a topic that has dead letters."""
    seen = set()
    for name in sketch.topics:
        topic = known.topics[name]
        for who in topic.consumers if topic.dlq else ():
            if (
                who in known.services
                and who in sketch.parties
                and who not in {"scorekeeper", "notifier"}
                and who not in seen
            ):
                seen.add(who)
                yield Edge(who, "dlq", "poison", Style.REFUSED)


def _asked(sketch: Sketch, known: Known) -> Iterator[Edge]:
    """Which service asks MLflow and Redis, from the chart."""
    for name in sketch.asking:
        for store in known.services[name].uses:
            if store in sketch.parties:
                serves = store == "mlflow" and name in {"extractor", "answerer"}
                yield Edge(store, name, "champion", Style.ASKED) if serves else Edge(name, store, style=Style.ASKED)


def _service(service: Service) -> Node:
    least, most = service.replicas
    number = f"{least} replica{'s' if least > 1 else ''}" if least == most else f"{least} to {most} replicas"
    return Node(service.name, service.name, Kind.SERVICE, (f"Faust, {number}" if service.faust else number,))


def _topic(topic: Topic) -> Node:
    if topic.cleanup_policy == "compact":
        kept = "newest of each key"
    else:
        kept = "for ever" if topic.retention_ms < 0 else f"{topic.retention_ms // DAY_MS} days"
    small = f"{topic.partitions} partitions, {kept}" if topic.partitions > 1 else f"one partition, {kept}"
    return Node(topic.name, topic.name, Kind.TOPIC, (small + (", dead letters" if topic.dlq else ""),))
