"""How far a consumer group is behind."""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaException, TopicPartition


class LagProbe:
    """Asks the broker for a group's committed offsets and the ends of its topic. It never joins the group."""

    def __init__(self, bootstrap_servers: str, group: str, topic: str) -> None:
        self._topic = topic
        self._consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": group, "log_level": 0})

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
