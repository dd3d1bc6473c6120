"""The life of a trainer: owns the commands of its partition, keeps the group while it works, one order at a time.

The main thread polls and folds; a worker thread carries orders out, and another one those about rules. What is open is derived from the topics whenever the
partition comes to us, so nothing that a dead trainer knew is missed.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

from confluent_kafka import Consumer, KafkaException, TopicPartition
from contracts.records import ModelCommand, ModelEvent, ModelEventKind
from contracts.registry import RegistryUnavailable
from contracts.wire import WireError
from model_registry.writing import MlflowRefusedError
from runtime.errors import Recoverable, RxtractError
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.kafka.deadletter import dead_letter
from runtime.kafka.positioned import PositionedConsumer
from runtime.kafka.positions import IN_REACH, Partition, counting, cut_off
from runtime.kafka.records import InputRecord, OutputRecord
from runtime.service.health import Liveness, Readiness
from runtime.service.logs import get_logger
from runtime.service.metrics import DEAD_LETTERS, Metrics
from runtime.service.settings import TRIES
from runtime.stream.state import ASSIGNED

from trainer import metrics as m
from trainer.domain import rules
from trainer.domain.asking import TRAINER, Asking, FindF1
from trainer.domain.context import context_of
from trainer.domain.job_runs import JobAbandonedError
from trainer.domain.order_book import OrderBook, is_drift
from trainer.events import ended, merged
from trainer.marks import OrderMarks
from trainer.rules import Executes

_log = get_logger(__name__)
STAGE = TRAINER
MODELS = "models"
"""Condition of being ready: MLflow has answered once, or another trainer is at work and this one stands by."""
_POLL_S = 0.2


class Leased(Protocol):
    """The right to work; `runtime.service.lease.Lease` and a test's fake."""

    @property
    def fence(self) -> int: ...  # noqa: D102
    def hold(self) -> bool: ...  # noqa: D102
    def is_held(self, fence: int) -> bool: ...  # noqa: D102
    def release(self) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Readers:
    """What is read beside the commands.

    Attributes:
        commands: All commands that are there now.
        events: All events of ours that are there now.
        f1: The newest audited F1 of a version; None: not measured, or not all measurements were read yet. With a serial:
            only what was measured since the version serves under it.
        annotations: How many annotations there are.
        is_over: Whether the drift that an order was given for has ended.
        drifts_read: Whether all ends of drifts are known that were said before we came.
    """

    commands: Callable[[], Iterable[InputRecord]]
    events: Callable[[], Iterable[ModelEvent]]
    f1: FindF1
    annotations: Callable[[], int]
    is_over: Callable[[ModelCommand], bool]
    drifts_read: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Triggers:
    """When the trainer itself asks for something.

    Attributes:
        annotations: New annotations that ask for a training; 0: never.
        every_h: Hours between two trainings; 0: no schedule.
        look_s: Between two looks.
    """

    annotations: int = 200
    every_h: float = 0.0
    look_s: float = 2.0


class OrderLoop:
    """Takes commands in and has them carried out.

    Args:
        consumer: In the trainers' group, manual commits; closed by us.
        topic: Full name of the commands.
        decode: Reads a command; raises `WireError`.
        publish: Sends records and waits for the broker's word.
        order: Publishes a command of our own.
        make_executor: Makes the executor, given how to say an event, whether to go on, and the same asked afresh.
        champion: The champion's (version, serial), or None; may raise `Recoverable`.
        tries: So many trainers may die with an order before it is ended as failed.
    """

    def __init__(
        self,
        consumer: Consumer,
        topic: str,
        model_name: str,
        rules_name: str,
        *,
        decode: Callable[[bytes | None], ModelCommand],
        publish: Callable[[list[OutputRecord]], None],
        order: Callable[[ModelCommand], None],
        say: Callable[[ModelEvent], None],
        make_executor: Callable[[Callable[[ModelEvent], None], Callable[[], bool], Callable[[], bool]], Executes],
        champion: Callable[[], tuple[str, int] | None],
        readers: Readers,
        lease: Leased,
        triggers: Triggers,
        metrics: Metrics,
        liveness: Liveness,
        readiness: Readiness,
        stop: threading.Event,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        errors: ConsumerErrors | None = None,
        tries: int = TRIES,
    ) -> None:
        self._consumer = consumer
        self._marks = OrderMarks(consumer, tries, metrics)
        self._errors = errors or ConsumerErrors(metrics, readiness)
        self._reading = PositionedConsumer(
            consumer, counting(metrics), self._errors.saw, self._on_halt, on_fine=self._errors.fine, eager=True
        )
        self._topic = topic
        self._model_name = model_name
        self._rules_name = rules_name
        self._decode = decode
        self._publish = publish
        self._order = order
        self._publish_event = say
        self._executor = make_executor(self._say, self._may_go_on, self._is_ours)
        self._champion = champion
        self._readers = readers
        self._lease = lease
        self._triggers = triggers
        self._metrics = metrics
        self._liveness = liveness
        self._readiness = readiness
        self._stop = stop
        self._now_ms = now_ms
        self._asking = Asking(model_name, triggers.annotations, triggers.every_h, now_ms)
        self._book = OrderBook(model_name)
        self._lock = threading.Lock()
        self._owned = threading.Event()
        self._lease_ok = False
        self._fence = 0
        self._work: Future[None] | None = None
        self._rules_work: Future[None] | None = None
        self._running: ModelCommand | None = None
        self._gives_way = False
        self._asked_of: set[tuple[str, str | None]] = set()
        self._looked_at_s = 0.0
        self._try_at_s = 0.0
        self._annotations = -1
        self._retried_with: dict[str, int] = {}
        self._serving: str | None = None
        self._waiting = ""
        self._own: set[str] = set()
        self._assigned: list[Partition] = []
        self._stands_by = False
        self._died = False

    def run(self) -> None:
        """Serve until stopped.

        Raises:
            ReadingBroken: A right or a topic has been missing for too long.
            ProducerBroken: Nothing can be written to Kafka any more.
        """
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_gone, on_lost=self._on_gone
        )
        with ThreadPoolExecutor(2, thread_name_prefix="order") as worker:
            try:
                while not self._stop.is_set():
                    self._turn(worker)
            except (RxtractError, KafkaException):
                raise  # not the order's doing
            except BaseException:
                self._died = True
                raise
            finally:
                self._owned.clear()
                self._end_work()
                if not self._died:
                    self._marks.over()
                self._lease.release()
                self._consumer.close()

    def _turn(self, worker: ThreadPoolExecutor) -> None:
        self._liveness.tick()
        self._errors.check()
        for record in self._reading.fetch(1, _POLL_S):
            self._take(record)
        lacking = self._book.lacking
        self._metrics.gauge(m.OPEN).set(len(self._book.open))
        self._metrics.gauge(m.DEFERRED).set(len(lacking))
        self._metrics.gauge(m.MISSING).set(max(lacking, default=0))
        try:
            self._collect()
            if self._assigned and not self._owned.is_set():
                self._fold_all()
            self._tidy()
            if not self._owned.is_set():
                return
            self._lease_ok = self._lease.hold()
            if not self._lease_ok:
                self._wait_for("lease", "another trainer holds the lease")
                self._stand_by()
                return
            self._begin_what_is_due(worker)
        except (Recoverable, RegistryUnavailable, MlflowRefusedError) as error:  # no order is to blame for what we ask
            self._wait_for("fault", str(error))
            if MODELS in self._readiness.missing:
                self._readiness.miss(MODELS, str(error))
            self._try_at_s = time.monotonic() + 1.0

    def _begin_what_is_due(self, worker: ThreadPoolExecutor) -> None:
        if time.monotonic() < self._try_at_s:
            return
        self._look()
        self._begin_rules(worker)
        if self._work is not None:
            self._let_pass()
        else:
            self._begin(worker)

    def _let_pass(self) -> None:
        """End the training that runs when a rollback waits behind it; its order stays open, and is taken up afterwards."""
        if self._running is None or self._gives_way:
            return
        for command in rules.go_first(self._running, self._book.open, self._serving):
            asked = (command.command_id, self._serving)
            if asked in self._asked_of:
                continue  # what is refused once is refused until another version serves
            self._gives_way = self._executor.would_roll_back(command)
            self._asked_of.add(asked)
            if self._gives_way:
                _log.warning("a rollback goes first", gives_way=self._running.command_id)
                return

    def _begin(self, worker: ThreadPoolExecutor) -> None:
        for folded, run in self._book.foldable():
            self._say(merged(folded, run, self._now_ms()))
        command = self._next()
        if command is not None and not self._ended_as_deadly(command):
            self._mark(command)
            self._running, self._gives_way = command, False
            self._asked_of.clear()
            self._work = self._submit(worker, command)

    def _begin_rules(self, worker: ThreadPoolExecutor) -> None:
        """Orders about rules take seconds and touch no model: they do not wait for a training, which takes an hour."""
        command = next((one for one in self._book.open if self._is_of_rules(one)), None)
        if command is not None and self._rules_work is None and not self._ended_as_deadly(command):
            if self._work is None:  # one mark stands at a time; that of a training tells more
                self._mark(command)
            self._rules_work = self._submit(worker, command)

    def _ended_as_deadly(self, command: ModelCommand) -> bool:
        """End an order as failed that trainers enough died with; False: it may be carried out."""
        if not self._marks.killed_too_often(command):
            return False
        kind = ModelEventKind.TRAINING_FAILED
        self._say(ended(command, kind, [f"{self._marks.tries} trainers died with it in hand"], self._now_ms()))
        self._metrics.counter(m.RUNS).labels(command.action.value, kind.value).inc()
        return True

    def _submit(self, worker: ThreadPoolExecutor, command: ModelCommand) -> "Future[None]":
        self._fence = self._lease.fence
        return worker.submit(self._executor, command, context_of(command, self._book, self._readers.is_over))

    def _is_of_rules(self, command: ModelCommand) -> bool:
        return command.model_name == self._rules_name

    def _mark(self, command: ModelCommand) -> None:
        try:
            self._marks.begin(command)
        except KafkaException as error:
            raise Recoverable(f"the mark of an order cannot be written: {error.args[0].name()}") from None

    def _collect(self) -> None:
        """Take the work that has ended, whoever has the orders now: how it ended is told, and a mistake of ours ends the process."""
        if self._rules_work is not None and self._rules_work.done():
            work, self._rules_work = self._rules_work, None
            self._finish(work)
        if self._work is not None and self._work.done():
            work, self._work = self._work, None
            self._finish(work)

    def _finish(self, work: "Future[None]") -> None:
        """Take note of how an order went; what must wait is tried again, anything else that was raised ends the process."""
        try:
            work.result()
        except (Recoverable, RegistryUnavailable) as error:
            self._wait_for("fault", str(error))
            self._try_at_s = time.monotonic() + 2.0
        except JobAbandonedError as error:
            _log.warning("abandoned", message=str(error))
        else:
            self._wait_for("", "")
        if self._work is None and self._rules_work is None:
            self._marks.over()

    def _tidy(self) -> None:
        """Let no notes stay here for an order that ended, or that is another trainer's.

        Orders that were only taken from us may come back at once: every change in the group takes them for a moment.
        """
        idle = self._work is None and self._rules_work is None
        if idle and (self._owned.is_set() or self._stands_by):
            self._executor.keep_only({one.command_id for one in self._book.open} if self._owned.is_set() else ())

    def _next(self) -> ModelCommand | None:
        """The most urgent open order; one that waits for labels only when more have come, or when it need not wait any more."""
        for command in self._book.open:
            if self._is_of_rules(command):
                continue
            if command.command_id not in self._book.deferred or self._has_ended(command):
                return command
            if self._annotations != self._retried_with.get(command.command_id):
                self._retried_with[command.command_id] = self._annotations
                return command
        return None

    def _has_ended(self, command: ModelCommand) -> bool:
        """Whether what a waiting order was given for is no more: another champion serves, or its drift is over."""
        if rules.why_void(command, self._serving) is not None:
            return True
        return is_drift(command) and all(map(self._readers.is_over, self._book.drifts(command)))

    # -- our own triggers

    def _look(self) -> None:
        """See who serves, how well, and what is to be asked for; trainings only while none runs, which may answer the same."""
        if time.monotonic() - self._looked_at_s < self._triggers.look_s:
            return
        self._looked_at_s = time.monotonic()
        champion = self._champion()
        self._readiness.meet(MODELS)
        self._serving = None if champion is None else champion[0]
        if self._work is None:
            self._annotations = self._readers.annotations()
        for command in list(self._due(champion)):
            self._give(command)
        if self._work is not None or len(self._book.open) == len(self._book.lacking):
            self._wait_for("", "")  # all that is asked answers, and no order is there to say so

    def _due(self, champion: tuple[str, int] | None) -> Iterator[ModelCommand]:
        book, asking = self._book, self._asking
        if champion is not None:
            yield from asking.rollback(book, *champion, self._readers.f1)
        if self._work is not None:
            return
        if champion is None:
            yield from asking.first(book)
            return
        yield from asking.trainings(book, self._annotations)
        if self._readers.drifts_read():
            yield from asking.drifts(book, champion[0], self._readers.is_over)

    def _give(self, command: ModelCommand) -> None:
        """Publish a command of our own; it comes back to us like everybody's."""
        self._order(command)
        with self._lock:
            # Its own delivery then counts as known, not as a duplicate.
            self._book.commands[command.command_id] = command
            self._own.add(command.command_id)
        _log.info("asked", action=command.action.value, reason=command.reason)

    # -- records

    def _take(self, record: InputRecord) -> None:
        try:
            command = self._decode(record.value)
        except WireError as error:
            self._metrics.counter(DEAD_LETTERS).labels(STAGE, error.reason.value).inc()
            self._publish([dead_letter(record, error.reason, STAGE)])
        else:
            self._marks.stands(command, record)
            self._fold(command)
        self._consumer.commit(offsets=[self._marks.offset(record)], asynchronous=True)

    def _fold(self, command: ModelCommand) -> None:
        with self._lock:
            if command.command_id in self._own:
                self._own.discard(command.command_id)
            elif not self._book.order(command):
                self._metrics.counter(m.DUPLICATES).inc()
                _log.info("duplicate", command_id=command.command_id)

    def _say(self, event: ModelEvent) -> None:
        self._publish_event(event)
        with self._lock:
            self._book.tell(event)

    # -- the group's changes

    def _on_assign(self, _consumer: object, partitions: list[TopicPartition]) -> None:
        """Read nothing yet: where to begin is known when all that is there was folded."""
        self._consumer.assign([])
        self._assigned = [(place.topic, place.partition) for place in partitions]
        self._errors.exists({topic for topic, _ in self._assigned})
        self._stands_by = not partitions
        if not partitions:
            self._stand_by()
            _log.info("stands by: another trainer has the orders")

    def _stand_by(self) -> None:
        """Ready to take over when the one at work is gone."""
        self._readiness.meet(ASSIGNED)
        self._readiness.meet(MODELS)

    def _fold_all(self) -> None:
        """Learn what is open from the topics, then read on behind what was folded, whatever the group committed.

        Raises:
            Recoverable: The broker gave no answer; asked again at the next turn.
        """
        book, folded_to = OrderBook(self._model_name), {}
        for record in self._readers.commands():
            folded_to[record.partition] = record.offset + 1
            try:
                command = self._decode(record.value)
            except WireError:
                continue  # whoever met it first wrote its dead letter
            self._marks.stands(command, record)
            book.order(command)
        for event in self._readers.events():
            book.tell(event)
        book.duplicates = 0
        try:
            found = self._reading.committed(self._assigned)
            self._reading.begin({place: folded_to.get(place[1]) for place in self._assigned})
        except KafkaException as error:
            raise Recoverable(f"{self._topic} cannot be read: {error.args[0].name()}") from None
        self._marks.came(found, {place: folded_to.get(place[1], 0) for place in self._assigned})
        self._own.clear()
        self._book = book
        self._owned.set()
        self._readiness.meet(ASSIGNED)
        _log.info("owns the orders", known=len(book.commands), open=len(book.open))

    def _on_gone(self, _consumer: object, partitions: list[TopicPartition]) -> None:
        if not partitions:
            return
        self._assigned = []
        self._owned.clear()
        self._marks.over()
        self._reading.forget(self._reading.positions.partitions)
        self._readiness.meet(IN_REACH)
        _log.info("gave the orders up")

    def _on_halt(self, partition: Partition) -> None:
        self._readiness.miss(IN_REACH, cut_off(partition))

    def _may_go_on(self) -> bool:
        return self._owned.is_set() and self._lease_ok and not self._gives_way and not self._stop.is_set()

    def _is_ours(self) -> bool:
        """Asked by the order's thread before what cannot be undone; Redis' word counts, not what we remember."""
        return self._may_go_on() and self._lease.is_held(self._fence)

    def _end_work(self) -> None:
        for work in (self._work, self._rules_work):
            if work is None:
                continue
            while not wait((work,), _POLL_S).done:
                self._liveness.tick()
            if (error := work.exception()) is not None and not isinstance(error, Recoverable | JobAbandonedError):
                raise error

    def _wait_for(self, what: str, why: str) -> None:
        """One line for each new reason to wait."""
        self._metrics.gauge(m.WAITING).labels("fault").set(what == "fault")
        self._metrics.gauge(m.WAITING).labels("lease").set(what == "lease")
        if why and why != self._waiting:
            _log.warning("waiting", why=why)
        self._waiting = why
