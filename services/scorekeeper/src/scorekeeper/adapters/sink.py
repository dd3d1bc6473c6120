"""Collects rows until they are worth a file, then makes them and their offsets visible together."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outcomes.records_at_rest import Beat, RecordsAtRest, Stretch
from runtime.errors import SettingsError
from runtime.kafka.records import InputRecord
from runtime.service.metrics import Metrics

from scorekeeper.domain.held import HeldRows
from scorekeeper.metrics import SINK_FILES, SINK_ROWS, SINK_WAITING

CLUSTER = "cluster-id"
_REMEDY = "give an empty folder, or the one of this cluster"


def _nobody_waits() -> None:
    """In place of a beat."""


@dataclass(slots=True)
class _Waiting:
    first_offset: int
    next_offset: int
    rows: list[Mapping[str, Any]] = field(default_factory=list)


class Sink:
    """Belongs to the reader's thread.

    Args:
        records: The one writer of the folder.
        folder: Where it writes.
        every_s: Longest time that a row waits, seconds.
        most_rows: Rows that are held at most.
        held: Shows the rows of entities that wait; None: nobody asks for them, and rows of codes have no revision that counts.
        merge_every_s: Seconds between two rounds: each deletes what the last one replaced, then merges a day a turn until all are merged.
    """

    def __init__(
        self,
        records: RecordsAtRest,
        folder: Path,
        metrics: Metrics,
        *,
        every_s: float,
        most_rows: int,
        merge_every_s: float,
        held: HeldRows | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._records = records
        self._folder = folder
        self._metrics = metrics
        self._every_s = every_s
        self._most_rows = most_rows
        self._merge_every_s = merge_every_s
        self._held = held
        self._clock = clock
        self._waiting: dict[tuple[str, int], _Waiting] = {}
        self._rows = 0
        self._since_s = clock()
        self._merged_at_s = clock()
        self._merging = False
        metrics.gauge(SINK_FILES).set(len(records.manifest.files))

    def claim(self, cluster: str) -> None:
        """Say whose records these are; offsets mean nothing on another cluster.

        Args:
            cluster: Kafka's id of the cluster.

        Raises:
            SettingsError: The folder holds those of another.
        """
        mark = self._folder / CLUSTER
        if not mark.exists():
            if self._records.manifest.files:
                raise SettingsError(f"RXTRACT_RECORDS_DIR holds records, but no {CLUSTER} file: {_REMEDY}")
            mark.write_text(cluster, encoding="ascii")
        if mark.read_text(encoding="ascii") != cluster:
            raise SettingsError(f"RXTRACT_RECORDS_DIR holds records of another cluster: {_REMEDY}")

    def next_offset(self, topic: str, partition: int) -> int | None:
        """Where the visible rows of a partition end; None at the very start."""
        return self._records.next_offset(topic, partition)

    def take(self, record: InputRecord, row: Mapping[str, Any] | None) -> None:
        """Take a record in the order of its partition; one that is visible already is passed over.

        Args:
            record: Where it lay.
            row: None when it cannot be read: only the offset moves.
        """
        place = (record.topic, record.partition)
        if record.offset < (self.next_offset(*place) or 0):
            return
        if not self._waiting:
            self._since_s = self._clock()
        waiting = self._waiting.setdefault(place, _Waiting(record.offset, record.offset))
        if record.offset < waiting.next_offset:
            return
        waiting.next_offset = record.offset + 1
        if row is not None:
            waiting.rows.append(row)
            self._rows += 1
            if self._held is not None:
                self._held.put(row)

    def turn(self, beat: Beat = _nobody_waits) -> None:
        """Write when rows have waited long enough or are many, and merge now and then, one day a turn: reading goes on between.

        Args:
            beat: Called between files.
        """
        self._metrics.gauge(SINK_WAITING).set(self._rows)
        if self._waiting and (self._rows >= self._most_rows or self._clock() - self._since_s >= self._every_s):
            self.flush(beat)
        if self._clock() - self._merged_at_s >= self._merge_every_s:
            self._merged_at_s = self._clock()
            self._records.delete_retired()
            self._merging = True
        if self._merging:
            self._merging = self._records.merge_a_day(beat=beat) > 0
            self._metrics.gauge(SINK_FILES).set(len(self._records.manifest.files))

    def erase(self, patients: Collection[str], beat: Beat = _nobody_waits) -> int:
        """Let all rows of these patients go, those that wait and those in files; returns how many.

        Args:
            patients: Their pseudonyms.
            beat: Called between files.
        """
        gone = 0
        for one in self._waiting.values():
            kept = [row for row in one.rows if row["patient_ref"] not in patients]
            gone += len(one.rows) - len(kept)
            one.rows[:] = kept
        self._rows -= gone
        if self._held is not None:
            self._held.forget(patients)
        gone += self._records.erase(patients, beat)
        self._metrics.gauge(SINK_FILES).set(len(self._records.manifest.files))
        return gone

    def flush(self, beat: Beat = _nobody_waits) -> None:
        """Make all that waits visible."""
        if not self._waiting:
            return
        stretches = [
            Stretch(topic, partition, one.first_offset, one.next_offset, one.rows)
            for (topic, partition), one in self._waiting.items()
        ]
        self._records.append(stretches, beat)
        if self._held is not None:
            self._held.clear()
        self._metrics.counter(SINK_ROWS).inc(self._rows)
        self._metrics.gauge(SINK_FILES).set(len(self._records.manifest.files))
        self._waiting.clear()
        self._rows = 0

    def close(self, beat: Beat = _nobody_waits) -> None:
        """Make all that waits visible and let the folder go."""
        self.flush(beat)
        self._records.close()


class Sinks:
    """The rows of entities and those of codes, which are kept apart and look like one to whoever fills them.

    Args:
        entities: Takes whatever is no code.
        codes: Takes what lies on `codes_topic`.
        codes_topic: Full name.
    """

    def __init__(self, entities: Sink, codes: Sink, codes_topic: str) -> None:
        self._entities = entities
        self._codes = codes
        self._codes_topic = codes_topic

    def claim(self, cluster: str) -> None:
        """See `Sink.claim`."""
        self._entities.claim(cluster)
        self._codes.claim(cluster)

    def next_offset(self, topic: str, partition: int) -> int | None:
        """See `Sink.next_offset`."""
        return self._of(topic).next_offset(topic, partition)

    def take(self, record: InputRecord, row: Mapping[str, Any] | None) -> None:
        """See `Sink.take`."""
        self._of(record.topic).take(record, row)

    def erase(self, patients: Collection[str], beat: Beat = _nobody_waits) -> int:
        """See `Sink.erase`. Rows of codes name no patient, and of a sealed note they hold no code."""
        return self._entities.erase(patients, beat)

    def turn(self, beat: Beat = _nobody_waits) -> None:
        """See `Sink.turn`."""
        self._entities.turn(beat)
        self._codes.turn(beat)

    def close(self, beat: Beat = _nobody_waits) -> None:
        """See `Sink.close`."""
        try:
            self._entities.close(beat)
        finally:
            self._codes.close(beat)

    def _of(self, topic: str) -> Sink:
        return self._codes if topic == self._codes_topic else self._entities
