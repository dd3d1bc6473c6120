"""Finds where to begin on every partition, and reads from there. No group: one process reads all, and nothing is committed."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException
from contracts.topics import (
    ANNOTATORS_JUDGED,
    DRIFT_DETECTED,
    ENTITIES_CODED,
    ENTITIES_EXTRACTED,
    MODEL_EVENTS,
    QUALITY_MEASURED,
)
from runtime.errors import Recoverable, SettingsError
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.kafka.positions import OnJump, Partition, unheard
from runtime.kafka.reader import RecordReader
from runtime.kafka.records import InputRecord

FROM_THE_BEGINNING = frozenset({MODEL_EVENTS, DRIFT_DETECTED, QUALITY_MEASURED, ANNOTATORS_JUDGED})
"""Small topics that are told as a story: who serves, which episodes are open, what was measured last, whose labels are held."""

Place = tuple[str, int]


class Start(NamedTuple):
    """Where a partition begins.

    Attributes:
        read_from: First offset that is read.
        count_from: First offset that counts for the numbers; what lies before is only kept as rows.
        end: The offset behind the last record that was there.
        gone: Records that were deleted before they could be kept as rows.
    """

    read_from: int
    count_from: int
    end: int
    gone: int


def start_of(low: int, high: int, window: int, kept: int | None, *, keeps_rows: bool) -> Start:
    """Where a partition begins: the window of the numbers and the place of the rows, whichever comes first.

    Args:
        low: First offset that is there.
        high: The offset behind the last.
        window: First offset of the window that numbers are made of.
        kept: Where the rows end; None: there are none yet.
        keeps_rows: Whether the topic's records become rows.

    Raises:
        SettingsError: The rows go further than the topic: they are another cluster's.
    """
    count_from = min(max(window, low), high)
    if not keeps_rows:
        return Start(count_from, count_from, high, 0)
    if kept is not None and kept > high:
        raise SettingsError(
            "RXTRACT_RECORDS_DIR holds records of another cluster (its offsets lie behind the topic's end): "
            "give an empty folder, or the one of this cluster"
        )
    rows_from = low if kept is None else max(kept, low)
    return Start(min(count_from, rows_from), count_from, high, 0 if kept is None else rows_from - kept)


class Topics:
    """Reads everything.

    Args:
        consumer: Made by `runtime.kafka.reader.open_client`; `close` closes it.
        names: Contract topic by full name.
        errors: Takes what the consumer says in place of records.
        on_jump: Hears of every jump of a position that nobody decided.
        on_halt: Hears that a partition stands still because its log was cut off.
    """

    def __init__(
        self,
        consumer: Consumer,
        names: Mapping[str, str],
        errors: ConsumerErrors,
        on_jump: OnJump = unheard,
        *,
        on_halt: Callable[[Partition], None] | None = None,
    ) -> None:
        self._errors = errors
        self._names = names
        self._reader = RecordReader(consumer, names, errors, on_error=errors.saw, on_jump=on_jump, on_halt=on_halt)

    def cluster(self) -> str:
        """Kafka's id of the cluster.

        Raises:
            Recoverable: The broker gave no answer.
        """
        try:
            return self._reader.cluster()
        except KafkaException as error:
            raise Recoverable(f"Kafka cannot be asked: {error.args[0].name()}") from None

    def starts(self, since_ms: int, kept: Callable[[str, int], int | None]) -> dict[Place, Start]:
        """Ask the broker where each partition begins.

        Args:
            since_ms: First moment of the window of the numbers, UTC milliseconds.
            kept: Where the rows of a partition end.

        Raises:
            Recoverable: A topic does not exist yet, or the broker gave no answer.
        """
        try:
            return self._starts(since_ms, kept)
        except KafkaException as error:
            raise Recoverable(f"Kafka cannot be asked: {error.args[0].name()}") from None

    def _starts(self, since_ms: int, kept: Callable[[str, int], int | None]) -> dict[Place, Start]:
        extents = self._reader.extents()
        windowed = [place for place in extents if self._names[place[0]] not in FROM_THE_BEGINNING]
        windows = self._reader.since(windowed, since_ms)
        starts = {}
        for place, (low, high) in extents.items():
            window = windows.get(place, low)
            keeps_rows = self._names[place[0]] in {ENTITIES_EXTRACTED, ENTITIES_CODED}
            starts[place] = start_of(
                low,
                high,
                high if window is None or self._names[place[0]] == ENTITIES_CODED else window,  # no number counts codes
                kept(*place) if keeps_rows else None,
                keeps_rows=keeps_rows,
            )
        return starts

    def begin(self, starts: Mapping[Place, Start]) -> None:
        """Go to the starts."""
        begins = {place: start.read_from for place, start in starts.items()}
        self._reader.begin(begins, begins)

    def grown(self) -> dict[Place, Start]:
        """Read partitions that came since, from their beginning; empty: there are none.

        Raises:
            KafkaException: The broker gave no answer.
        """
        return {place: Start(low, low, end, 0) for place, (low, end) in self._reader.grown().items()}

    def read(self) -> list[InputRecord]:
        """What has come, perhaps nothing. It counts as taken: whoever cannot use it ends.

        Raises:
            KafkaException: The client cannot go on.
            ReadingBroken: A right or a topic has been missing for too long.
        """
        self._errors.check()
        return self._reader.read()

    def reached(self, ends: Mapping[Place, int]) -> bool:
        """Whether all that lay before these ends was read."""
        return self._reader.reached(ends)

    def lag(self) -> dict[str, int]:
        """Records that wait and can be read, by contract topic, as far as the client knows without asking."""
        waiting = dict.fromkeys(self._names.values(), 0)
        for (topic, _), count in self._reader.waiting().items():
            waiting[self._names[topic]] += count
        return waiting

    def close(self) -> None:
        """Read no more."""
        self._reader.close()
