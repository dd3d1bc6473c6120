"""How far behind the ends of our partitions we are, and for how long one of them has not moved: the two gauges by which a stop is seen.

Lag alone does not show one partition that stands among others that flow, nor does it tell much work from none done.
"""

import time
from collections.abc import Callable, Iterable, Mapping

from runtime.service.metrics import COMMIT_AGE, CONSUMER_LAG, Metrics

Partition = tuple[str, int]


class Progress:
    """Tells lag and commit age by topic.

    Args:
        metrics: Where they go.
        topics: Told as nothing before anything came from them.
        clock: Monotonic seconds.
    """

    def __init__(
        self, metrics: Metrics, topics: Iterable[str] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lag = metrics.gauge(CONSUMER_LAG)
        self._age = metrics.gauge(COMMIT_AGE)
        self._clock = clock
        self._waiting_since_s: dict[Partition, float] = {}
        self._topics = set(topics)

    def moved(self, partitions: Iterable[Partition]) -> None:
        """A commit brought these partitions on."""
        for partition in partitions:
            if partition in self._waiting_since_s:
                self._waiting_since_s[partition] = self._clock()

    def publish(self, behind: Mapping[Partition, int]) -> None:
        """Bring both gauges up to date.

        Args:
            behind: How many records of each of our partitions are not committed yet. What is missing here is not ours.
        """
        now_s, since_s = self._clock(), self._waiting_since_s
        self._waiting_since_s = {one: since_s.get(one, now_s) for one, count in behind.items() if count > 0}
        self._topics |= {topic for topic, _ in behind}  # one that we lost is told as nothing, not as it was last
        for topic in self._topics:
            ages_s = [now_s - since for (name, _), since in self._waiting_since_s.items() if name == topic]
            self._lag.labels(topic).set(sum(count for (name, _), count in behind.items() if name == topic))
            self._age.labels(topic).set(max(ages_s, default=0.0))
