"""Where groups are that this process is not a member of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class GroupCommits:
    """Asks for the committed offsets of groups without joining them.

    By a consumer for each group, not by `AdminClient.list_consumer_group_offsets`: that ends the whole process with a segmentation
    fault when a broker answers that it is not, or not yet, the coordinator of the group, which is usual while brokers restart
    (librdkafka issue 5040, seen with 2.10.1).

    Args:
        config: Address, identity and security.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self._askers: dict[str, Consumer] = {}

    def of(self, group: str, places: Collection[tuple[str, int]], timeout_s: float) -> dict[tuple[str, int], int]:
        """Return the offset that the group would read next, of each partition where it ever committed.

        Raises:
            KafkaException: The coordinator gave no answer in time, or refused.
        """
        asker = self._askers.get(group) or self._askers.setdefault(group, self._asker(group))
        found = asker.committed([TopicPartition(*one) for one in places], timeout=timeout_s) if places else []
        return {(one.topic, one.partition): one.offset for one in found if one.error is None and one.offset >= 0}

    def close(self) -> None:
        """Close the connections."""
        for asker in self._askers.values():
            asker.close()
        self._askers.clear()

    def _asker(self, group: str) -> Consumer:
        return Consumer({**self._config, "group.id": group, "enable.auto.commit": False, "log_level": 0})
