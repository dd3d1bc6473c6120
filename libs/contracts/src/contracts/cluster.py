"""The topics of a Kafka cluster, through librdkafka's admin client. Translation only: `contracts.apply` decides."""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

if TYPE_CHECKING:
    from contracts.topic_plan import TopicPlan

TIMEOUT_S = 30.0


class ClusterError(RuntimeError):
    """The cluster cannot be reached or refuses. One line that says what."""


class TopicExistsError(ClusterError):
    """The topic exists already."""


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

    def wait_for(self, partitions: Mapping[str, int]) -> dict[str, int]:
        """Return the partition counts once each topic has at least as many as given, each with a leader that answers.

        A broker learns of a new topic a moment after the controller has confirmed it, and leads it a moment after that.
        """
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            counts = self.partition_counts()
            late = sorted(name for name, wanted in partitions.items() if counts.get(name, 0) < wanted)
            late = late or self._without_leader({name: counts[name] for name in partitions})
            if not late:
                return counts
            if time.monotonic() > deadline:
                raise ClusterError(f"{late[0]} was created but does not answer after {TIMEOUT_S:.0f} s")
            time.sleep(0.05)

    def _without_leader(self, counts: Mapping[str, int]) -> list[str]:
        """The topics with a partition whose leader does not answer yet, in order."""
        places = [TopicPartition(name, number) for name, count in counts.items() for number in range(count)]
        earliest = OffsetSpec.earliest()
        asked = self._admin.list_offsets(dict.fromkeys(places, earliest), request_timeout=TIMEOUT_S) if places else {}
        return sorted({place.topic for place, answer in asked.items() if answer.exception(TIMEOUT_S) is not None})

    def create(self, plans: Iterable["TopicPlan"], copies: int) -> set[str]:
        """Create topics and return the names of those that did not exist."""
        new = [
            NewTopic(plan.name, num_partitions=plan.partitions, replication_factor=copies, config=dict(plan.config))
            for plan in plans
        ]
        if not new:
            return set()
        answers = self._admin.create_topics(new, operation_timeout=TIMEOUT_S)
        return {name for name, future in answers.items() if _created(name, future)}

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


def _created(name: str, future: Any) -> bool:
    try:
        _ask(f"create {name}", partial(future.result, TIMEOUT_S))
    except TopicExistsError:
        return False
    return True


def _wait(futures: Mapping[Any, Any], verb: str) -> None:
    for what, future in futures.items():
        _ask(f"{verb} {getattr(what, 'name', what)}", partial(future.result, TIMEOUT_S))


def _ask(what: str, question: Callable[[], Any]) -> Any:
    try:
        return question()
    except KafkaException as error:
        code = error.args[0]
        if isinstance(code, KafkaError) and code.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            raise TopicExistsError(f"cannot {what}: it exists") from None
        raise ClusterError(f"cannot {what}: Kafka says {getattr(code, 'name', lambda: code)()}") from None
    except TimeoutError:
        raise ClusterError(f"cannot {what}: no answer within {TIMEOUT_S:.0f} s") from None
