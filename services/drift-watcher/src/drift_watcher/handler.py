"""Statistics in, drift events, commands and state out: the body of the service."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from contracts.reasons import Reason
from contracts.records import DriftDetected, DriftState, ModelCommand, StatisticsObserved
from contracts.wire import WireError
from drift.watcher import NOTHING, FindReferences, Outcome, PartitionWatcher
from runtime.kafka.deadletter import DeadLetterBudget, dead_letter
from runtime.kafka.records import InputRecord, OutputRecord
from runtime.service.metrics import Metrics

from drift_watcher import metrics as m
from drift_watcher.keeper import WatcherKeeper
from drift_watcher.scores import segment_kind

STAGE = "drift-watcher"


@dataclass(frozen=True, slots=True)
class Topics:
    """Full names of the topics written."""

    detected: str
    commands: str
    states: str


@dataclass(frozen=True, slots=True)
class Codecs:
    """How records become bytes and back."""

    statistics: Callable[[bytes | None], StatisticsObserved]
    detected: Callable[[DriftDetected], bytes]
    command: Callable[[ModelCommand], bytes]
    state: Callable[[DriftState], bytes]


class DriftHandler:
    """Records in, records out.

    Args:
        keeper: The watchers of our partitions.
        find: Asked for every model of a batch before anything changes; may raise `Recoverable`.
        budget: Stops us when too many records are refused.
    """

    def __init__(
        self,
        keeper: WatcherKeeper,
        find: FindReferences,
        codecs: Codecs,
        topics: Topics,
        *,
        budget: DeadLetterBudget,
        metrics: Metrics,
    ) -> None:
        self._keeper = keeper
        self._find = find
        self._codecs = codecs
        self._topics = topics
        self._budget = budget
        self._done: dict[int, tuple[PartitionWatcher, int, int, Sequence[OutputRecord]]] = {}
        self._alarms = metrics.counter(m.ALARMS)
        self._commands = metrics.counter(m.COMMANDS)
        self._dropped = metrics.counter(m.RANGES_DROPPED)
        self._unjudged = metrics.counter(m.UNJUDGED)

    def __call__(self, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        """Handle one batch of one partition. The same batch again (it could not be sent) gives the same records.

        Raises:
            Recoverable: The references of a new model cannot be had now; nothing has changed.
            BudgetExceeded: Too many records were refused.
        """
        partition, first, last = records[0].partition, records[0].offset, records[-1].offset
        watcher = self._keeper.watcher(partition)
        done = self._done.get(partition)
        if done is not None and done[0] is watcher and done[1:3] == (first, last):
            return done[3]
        watcher.look_again()
        read = [self._read(record) for record in records]
        known = -1 if watcher.model is None else watcher.model.serial
        newer = {
            one.model.serial: one.model for one in read if not isinstance(one, Reason) and one.model.serial > known
        }
        for model in newer.values():
            self._find(model)
        dropped, unjudged = watcher.counts.dropped, watcher.counts.unjudged
        outputs: list[OutputRecord] = []
        for record, one in zip(records, read, strict=True):
            if isinstance(one, Reason):
                outputs.append(self._refuse(watcher, record, one))
                continue
            outcome = watcher.apply(record.offset, one)
            if outcome is not NOTHING:
                outputs += self._published(outcome)
            if outcome.detected or self._keeper.is_save_due(watcher):
                outputs += self._saved(watcher)
        self._dropped.inc(watcher.counts.dropped - dropped)
        self._unjudged.inc(watcher.counts.unjudged - unjudged)
        self._budget.count_all([isinstance(one, Reason) for one in read])
        self._done[partition] = (watcher, first, last, outputs)
        return outputs

    def _read(self, record: InputRecord) -> StatisticsObserved | Reason:
        try:
            return self._codecs.statistics(record.value)
        except WireError as error:
            return error.reason

    def _refuse(self, watcher: PartitionWatcher, record: InputRecord, reason: Reason) -> OutputRecord:
        watcher.skip(record.offset)
        return dead_letter(record, reason, STAGE)

    def _saved(self, watcher: PartitionWatcher) -> Iterator[OutputRecord]:
        for state in self._keeper.save(watcher):
            key = str(state.source_partition) if state.chunks == 1 else f"{state.source_partition}/{state.chunk}"
            yield OutputRecord(
                self._topics.states,
                key.encode(),
                self._codecs.state(state),
                partition=state.source_partition,
                is_state=True,
            )

    def _published(self, outcome: Outcome) -> Iterator[OutputRecord]:
        """The records of an outcome, but those that whoever had the partition before us could still send."""
        published = self._keeper.published
        for event in outcome.detected:
            if not published.has_event(event):
                self._alarms.labels(event.level.value, segment_kind(event.segment)).inc()
                yield OutputRecord(self._topics.detected, event.segment.encode(), self._codecs.detected(event))
        for command in outcome.commands:
            if not published.has_command(command):
                self._commands.labels(command.action.value).inc()
                yield OutputRecord(self._topics.commands, command.model_name.encode(), self._codecs.command(command))
