"""What a consumer says instead of a record: counted by kind, told by readiness, and the end of the process when it lasts.

A client of Kafka hands errors out once and goes on. A right that was taken away, or a topic that was deleted, then looks like a quiet
topic: alive, ready, no lag. So every error is counted, and one that no waiting of the client mends makes the process not ready at once;
when nothing has been read since, it ends after a bound with one line, and a fresh one asks everything anew.
"""

import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException

from runtime.errors import ReadingBroken
from runtime.service.health import Readiness
from runtime.service.logs import get_logger
from runtime.service.metrics import CONSUMER_ERRORS, Metrics

KAFKA = "kafka"
"""The readiness condition that what we read may be read. Not named at the start: it is missed when an error says so."""

_log = get_logger(__name__)
_SAY_AGAIN_S = 30.0


class ErrorKind(StrEnum):
    """The closed label set of ``rxtract_consumer_errors_total``."""

    FORBIDDEN = "forbidden"
    MISSING_TOPIC = "missing_topic"
    AWAY = "away"
    POSITION = "position"
    GROUP = "group"
    FATAL = "fatal"
    OTHER = "other"


ASK_ANEW = frozenset({ErrorKind.FORBIDDEN, ErrorKind.MISSING_TOPIC, ErrorKind.POSITION, ErrorKind.FATAL})
"""After which a reader with positions of its own had better ask for them again."""
_LASTING = {
    ErrorKind.FORBIDDEN: "Kafka does not let us read {topic}: give this principal the right to read it and to use its group",
    ErrorKind.MISSING_TOPIC: "{topic} does not exist: run `rxtract topics apply`",
}
_KINDS = {
    ErrorKind.FORBIDDEN: (
        "TOPIC_AUTHORIZATION_FAILED",
        "GROUP_AUTHORIZATION_FAILED",
        "CLUSTER_AUTHORIZATION_FAILED",
        "SASL_AUTHENTICATION_FAILED",
        "_AUTHENTICATION",
    ),
    ErrorKind.MISSING_TOPIC: ("UNKNOWN_TOPIC_OR_PART", "UNKNOWN_TOPIC_ID", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION"),
    ErrorKind.POSITION: ("OFFSET_OUT_OF_RANGE", "_AUTO_OFFSET_RESET", "_LOG_TRUNCATION", "OFFSET_NOT_AVAILABLE"),
    ErrorKind.GROUP: (
        "_MAX_POLL_EXCEEDED",
        "UNKNOWN_MEMBER_ID",
        "ILLEGAL_GENERATION",
        "REBALANCE_IN_PROGRESS",
        "FENCED_INSTANCE_ID",
    ),
    ErrorKind.AWAY: (
        "_TRANSPORT",
        "_ALL_BROKERS_DOWN",
        "_RESOLVE",
        "_TIMED_OUT",
        "_SSL",
        "NETWORK_EXCEPTION",
        "REQUEST_TIMED_OUT",
        "LEADER_NOT_AVAILABLE",
        "NOT_LEADER_FOR_PARTITION",
        "COORDINATOR_LOAD_IN_PROGRESS",
        "COORDINATOR_NOT_AVAILABLE",
        "NOT_COORDINATOR",
        "BROKER_NOT_AVAILABLE",
    ),
}
_WORDS = {
    "authoriz": ErrorKind.FORBIDDEN,
    "rebalanc": ErrorKind.GROUP,
    "heartbeat": ErrorKind.GROUP,
    "not found in cluster": ErrorKind.MISSING_TOPIC,
    "connect": ErrorKind.AWAY,
    "metadata": ErrorKind.AWAY,
    "coordinator": ErrorKind.AWAY,
    "offset": ErrorKind.POSITION,
}
_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names}


def kind_of(name: str, *, fatal: bool = False) -> ErrorKind:
    """The kind of an error by Kafka's name for it."""
    return ErrorKind.FATAL if fatal else _KIND_OF.get(name, ErrorKind.OTHER)


def kind_of_line(line: str) -> ErrorKind:
    """The kind of an error that a client only logs, by the words of its line."""
    words = line.lower()
    for part, kind in _WORDS.items():
        if part in words:
            return kind
    return ErrorKind.OTHER


class _Lasting(NamedTuple):
    since_s: float
    kind: ErrorKind
    why: str


_NOTHING = _Lasting(0.0, ErrorKind.OTHER, "")


class ConsumerErrors:
    """The errors of one consumer.

    Args:
        metrics: Counts them.
        readiness: Told of those that last.
        limit_s: How long one may last before the process ends.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        metrics: Metrics,
        readiness: Readiness,
        limit_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count = metrics.counter(CONSUMER_ERRORS)
        self._readiness = readiness
        self._limit_s = limit_s
        self._clock = clock
        self._lasting: dict[str, _Lasting] = {}
        self._told_at_s: dict[str, float] = {}

    def saw(self, error: KafkaError, topic: str = "") -> ErrorKind | None:
        """Take an error that came in place of a record; None: it is none, a partition's end was reached.

        Raises:
            KafkaException: It is fatal: this client will never read again.
        """
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - that is how the client names its own codes
            self.fine(topic)
            return None
        kind = self.take(error.name(), topic, fatal=error.fatal())
        if kind is ErrorKind.FATAL:
            raise KafkaException(error)
        return kind

    def take(self, name: str, topic: str, *, fatal: bool = False) -> ErrorKind:
        """The same, by Kafka's name of the error (or another client's)."""
        kind = kind_of(name, fatal=fatal)
        self._count.labels(kind.value).inc()
        now_s = self._clock()
        if now_s - self._told_at_s.get(name, -_SAY_AGAIN_S) >= _SAY_AGAIN_S:
            self._told_at_s[name] = now_s
            _log.warning("the consumer met an error", code=name, kind=kind.value)
        if kind in _LASTING:
            self._last(kind, topic)
        return kind

    def count(self, kind: ErrorKind, count: int = 1) -> None:
        """Count what another client only logs."""
        self._count.labels(kind.value).inc(count)

    def lasts(self, kind: ErrorKind, topic: str) -> None:
        """Found by looking, as often as one looks: something that no waiting mends. Counted once."""
        if topic not in self._lasting:
            self.count(kind)
        self._last(kind, topic)

    def heard(self, error: KafkaError) -> None:
        """Take what ``error_cb`` gives: what concerns the connection, not a topic. Must not raise; a fatal one comes in place of a record too."""
        kind = kind_of(error.name(), fatal=error.fatal())
        if kind is ErrorKind.FATAL:
            self._count.labels(kind.value).inc()
        else:
            self.take(error.name(), "")

    def fine(self, topic: str | None) -> None:
        """Something of a topic was read, or its end: what was wrong with it, or with the connection, is over."""
        if self._lasting and (topic in self._lasting or "" in self._lasting):
            self._lasting.pop(topic or "", None)
            self._lasting.pop("", None)
            self._tell()

    def exists(self, topics: Iterable[str]) -> None:
        """These topics are there (which says nothing of the right to read them)."""
        gone = [
            topic
            for topic in topics
            if self._lasting and self._lasting.get(topic, _NOTHING).kind is ErrorKind.MISSING_TOPIC
        ]
        for topic in gone:
            self.fine(topic)

    def begin_again(self) -> None:
        """A fresh client asks everything anew: what lasts has the whole limit once more, and is still told."""
        self._lasting = {topic: one._replace(since_s=self._clock()) for topic, one in self._lasting.items()}

    def check(self) -> None:
        """Called now and then.

        Raises:
            ReadingBroken: An error has lasted for too long.
        """
        if not self._lasting:
            return
        oldest = min(self._lasting.values(), key=lambda one: one.since_s)
        if self._clock() - oldest.since_s >= self._limit_s:
            raise ReadingBroken(
                f"{oldest.why} (for {self._limit_s:.0f} s now: this process ends, so that a fresh one begins)"
            )

    def _last(self, kind: ErrorKind, topic: str) -> None:
        since_s = self._lasting[topic].since_s if topic in self._lasting else self._clock()
        self._lasting[topic] = _Lasting(since_s, kind, _LASTING[kind].format(topic=topic or "what is read here"))
        self._tell()

    def _tell(self) -> None:
        if self._lasting:
            self._readiness.miss(KAFKA, "; ".join(sorted(one.why for one in self._lasting.values())))
        else:
            self._readiness.meet(KAFKA)
