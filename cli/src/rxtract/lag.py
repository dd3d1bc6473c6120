"""How far a consumer group is behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Mapping


class LagProbe:
    """Asks the broker for a group's committed offsets and the ends of its topic. It never joins the group."""

    def __init__(self, config: Mapping[str, Any], group: str, topic: str) -> None:
        self._topic = topic
        self._consumer = Consumer({**config, "group.id": group, "log_level": 0})

    def lag(self) -> int:
        """Return the records that are not committed yet, over all partitions."""
        try:
            partitions = self._consumer.list_topics(self._topic, timeout=5).topics[self._topic].partitions
            places = [TopicPartition(self._topic, number) for number in partitions]
            behind = 0
            for place in self._consumer.committed(places, timeout=5):
                low, high = self._consumer.get_watermark_offsets(place, timeout=5)
                behind += high - max(place.offset, low)
        except KafkaException:
            return -1
        return behind

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()
