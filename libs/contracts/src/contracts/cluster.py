"""The topics of a Kafka cluster, through librdkafka's admin client. Translation only: `contracts.apply` decides."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without saying so
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

if TYPE_CHECKING:
    from contracts.apply import TopicPlan

TIMEOUT_S = 30.0


class ClusterError(RuntimeError):
    """The cluster cannot be reached or refuses. One line that says what."""


class Cluster:
    """A cluster that is asked and changed topic by topic. Every method may raise ClusterError."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._admin = AdminClient(dict(config))

    def broker_count(self) -> int:
        """Return how many brokers the cluster has."""
        return len(self._metadata().brokers)

    def partition_counts(self) -> dict[str, int]:
        """Return the partition count of every topic."""
        return {name: len(topic.partitions) for name, topic in self._metadata().topics.items()}

    def _metadata(self) -> Any:
        return _ask("list topics", lambda: self._admin.list_topics(timeout=TIMEOUT_S))

    def create(self, plans: Iterable["TopicPlan"], copies: int) -> None:
        """Create topics that do not exist."""
        new = [
            NewTopic(plan.name, num_partitions=plan.partitions, replication_factor=copies, config=dict(plan.config))
            for plan in plans
        ]
        if new:
            _wait(self._admin.create_topics(new, operation_timeout=TIMEOUT_S), "create")

    def grow(self, name: str, partitions: int) -> None:
        """Raise a topic's partition count."""
        _wait(self._admin.create_partitions([NewPartitions(name, partitions)]), "grow")

    def configs(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        """Return the configuration of topics, by topic and key."""
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        if not resources:
            return {}
        answers = self._admin.describe_configs(resources)
        return {
            resource.name: {key: entry.value for key, entry in _ask("read", future.result).items()}
            for resource, future in answers.items()
        }

    def configure(self, name: str, values: Mapping[str, str]) -> None:
        """Set some keys of a topic's configuration and leave the others."""
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in values.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        _wait(self._admin.incremental_alter_configs([resource]), "configure")


def _wait(futures: Mapping[Any, Any], verb: str) -> None:
    for what, future in futures.items():
        _ask(f"{verb} {getattr(what, 'name', what)}", partial(future.result, TIMEOUT_S))


def _ask(what: str, question: Callable[[], Any]) -> Any:
    try:
        return question()
    except KafkaException as error:
        code = error.args[0]
        raise ClusterError(f"cannot {what}: Kafka says {getattr(code, 'name', lambda: code)()}") from None
    except TimeoutError:
        raise ClusterError(f"cannot {what}: no answer within {TIMEOUT_S:.0f} s") from None
