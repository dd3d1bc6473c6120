"""The champion, and the rules that read what it tags, of a service that serves them: their keepers, and the threads that keep them."""

from collections.abc import Callable, Mapping
from typing import Any

from clinical_ner.rules import open_rules
from clinical_ner.tagger import Tagger
from contracts import topics
from contracts.records import ModelEvent, ModelEventKind
from contracts.registry import Registry
from contracts.wire import Deserializer
from model_registry.reading import RULES, TABLES, ModelReader
from model_registry.version import Version
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.kafka.follow import TopicFollower
from runtime.service.metrics import Metrics

from serving.cache import ModelCache
from serving.models import Keeper, ModelKeeper, Models, OpenedTagger, Reloader, RulesKeeper
from serving.settings import ServedModelSettings
from serving.tagging import Rules

MODEL_LOADED = "model"
"""The readiness condition that a model serves."""
_SERVING = (ModelEventKind.PROMOTED, ModelEventKind.ROLLED_BACK)


def open_tables(data: bytes, sha256: str) -> OpenedTagger:
    """Open a model's tables with the shared tagger, which checks the digest first."""
    return Tagger.open(data, sha256=sha256)


def make_keeper(
    settings: ServedModelSettings,
    metrics: Metrics,
    models: Models | None = None,
    opener: Callable[[bytes, str], OpenedTagger] = open_tables,
) -> ModelKeeper:
    """The keeper of the model that the settings name.

    Args:
        settings: Name, alias, cache and MLflow's address.
        metrics: Built from `serving.metrics.MODEL_METRICS` among others.
        models: Instead of MLflow.
        opener: Makes a tagger of a model's bytes.
    """
    cache = ModelCache(settings.model_cache_dir)
    registry = models or _mlflow(settings, TABLES)
    return ModelKeeper(registry, cache, opener, settings.model_name, alias=settings.model_alias, metrics=metrics)


def open_released_rules(data: bytes, sha256: str) -> Rules:
    """Open a release of rules, whose digest is checked first."""
    return open_rules(data, sha256)


def make_rules_keeper(
    settings: ServedModelSettings, metrics: Metrics, keeper: ModelKeeper, models: Models | None = None
) -> RulesKeeper:
    """The keeper of the rules that the settings name; new ones are tried with the model that is kept.

    Args:
        settings: Name, alias, cache and MLflow's address.
        metrics: Built from `serving.metrics.MODEL_METRICS` among others.
        keeper: Of the model.
        models: Instead of MLflow.
    """
    return RulesKeeper(
        models or _mlflow(settings, RULES),
        ModelCache(settings.model_cache_dir / "rules", ".json"),
        open_released_rules,
        keeper.current,
        name=settings.rules_name,
        alias=settings.model_alias,
        metrics=metrics,
    )


def _mlflow(settings: ServedModelSettings, file: str) -> ModelReader | None:
    return None if settings.mlflow_url is None else ModelReader.of(settings, settings.mlflow_url, file)


def event_reader(registry: Registry, settings: ServedModelSettings) -> Deserializer[ModelEvent]:
    """Reads what happened to models.

    Raises:
        RegistryUnavailable: The registry is away.
        SchemaNotFound: Our schemas are not registered yet.
    """
    return Deserializer.for_topic(ModelEvent, registry, settings.topic(topics.MODEL_EVENTS))


def followers(
    settings: ServedModelSettings,
    kept: Mapping[str, Keeper[Any]],
    read: Callable[[bytes | None], ModelEvent],
    metrics: Metrics,
    *,
    errors: ConsumerErrors,
) -> "list[Reloader | TopicFollower[Any]]":
    """Threads to be started: a slow look at the alias of each, and one that hears of promotions.

    Args:
        settings: How often to look, and where Kafka is.
        kept: Keepers by the registered model that each follows.
        read: Reads what happened to models.
        metrics: Counts jumps of the reader.
        errors: Told what the reader is told in place of records.
    """
    reloaders = {name: Reloader(keeper, settings.model_poll_s) for name, keeper in kept.items()}

    def on_event(event: ModelEvent) -> None:
        if event.model_name in kept and event.kind in _SERVING:
            if event.model_version is not None and event.serial is not None:
                sha256 = event.artifact_sha256 or ""
                kept[event.model_name].announce(Version.of(event.model_name, event.model_version, event.serial, sha256))
            reloaders[event.model_name].nudge(event.occurred_at)

    topic = settings.topic(topics.MODEL_EVENTS)
    follower = TopicFollower(settings.kafka_client_config(), topic, read, on_event, metrics=metrics, errors=errors)
    return [*reloaders.values(), follower]
