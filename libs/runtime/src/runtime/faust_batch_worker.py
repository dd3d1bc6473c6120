"""The thread that works: one batch after the other through the handler, to the broker, and done when every record is acknowledged.

It owns the producer, so delivery reports arrive where records are sent. Several batches may wait for their reports while the next is
worked on; each is reported done, in order, only when all of its own reports and all before it are in. A broker that is away is waited
for: a batch that was given up is sent again, and with it all behind it, so that the last word on each key stays the last. Any other
failed delivery ends the process. The event loop stays free for fetching and heartbeats.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from contracts.registry import RegistryUnavailable

from runtime.errors import DeliveryFailed, Recoverable, Rejected
from runtime.faust_batch_ledger import Batch
from runtime.logs import get_logger
from runtime.metrics import (
    BATCH_RECORDS,
    BATCHES_IN_FLIGHT,
    DELIVERY_SECONDS,
    HANDLER_SECONDS,
    RECORDS_CONSUMED,
    RECORDS_DELIVERED,
    RETRIES,
    Metrics,
)
from runtime.records import Handler, InputRecord, OutputRecord
from runtime.retry import cause_of

_log = get_logger(__name__)
_Result = TypeVar("_Result")

_REPORT_WAIT_S = 0.002
_IDLE_WAIT_S = 0.25
_RETRY_FIRST_S = 0.1
_RETRY_MAX_S = 5.0
_RESEND_PAUSE_S = 0.5
_PASSING = frozenset(
    {
        "_MSG_TIMED_OUT",
        "_TIMED_OUT",
        "_TIMED_OUT_QUEUE",
        "_QUEUE_FULL",
        "_TRANSPORT",
        "_ALL_BROKERS_DOWN",
        "REQUEST_TIMED_OUT",
        "LEADER_NOT_AVAILABLE",
        "NOT_LEADER_FOR_PARTITION",
        "NETWORK_EXCEPTION",
        "NOT_ENOUGH_REPLICAS",
        "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
    }
)  # what a broker that comes back mends; a missing topic or a forbidden one is for people


def _nothing(_: Exception | None) -> None:
    """Nobody is told."""


class Reports(Protocol):
    """The reports of one batch: what `runtime.delivery.Delivery` offers."""

    sent_at_s: float

    @property
    def settled(self) -> bool:
        """Whether every report has come."""

    @property
    def failure(self) -> Exception | None:
        """What went wrong, or None."""

    def unfinished(self) -> Exception:
        """The error for reports that did not come in time."""


class Sender(Protocol):
    """What `runtime.delivery.DeliveryProducer` offers; a test's fake has the same."""

    def send(self, records: Sequence[OutputRecord]) -> Reports:
        """Queue a batch."""

    def poll(self, timeout_s: float = ...) -> None:
        """Run the callbacks of reports that have come."""

    def close(self, timeout_s: float) -> int:
        """Wait for all reports; returns how many are missing."""


class _Sent(NamedTuple):
    batch: Batch
    outputs: Sequence[OutputRecord]
    reports: Reports
    done: Callable[[Batch], None]
    states: Sequence[OutputRecord] = ()  # still to be sent


class BatchWorker:
    """Runs a handler over batches in the order they are submitted.

    Args:
        handler: Records in, records out.
        sender: Where the records out go. It belongs to this thread from now on.
        fail_stop: Called with anything that is neither poison nor recoverable.
        metrics: Where counts and times go.
        begin: Asked before each batch; False means that the batch is no longer ours.
        on_waiting: Told what a batch waits for, and None when it does not.
        delivery_timeout_s: How long a batch may wait for its reports before that is a surprise; above the producer's own timeout, at
            which it reports the batch as failed.
    """

    def __init__(
        self,
        handler: Handler,
        sender: Sender,
        fail_stop: Callable[[str, BaseException], None],
        metrics: Metrics,
        begin: Callable[[Batch], bool],
        on_waiting: Callable[[Exception | None], None] = _nothing,
        delivery_timeout_s: float = 180.0,
    ) -> None:
        self._handler = handler
        self._sender = sender
        self._fail_stop = fail_stop
        self._delivery_timeout_s = delivery_timeout_s
        self._begin = begin
        self._on_waiting = on_waiting
        self._inbox: queue.SimpleQueue[tuple[Batch, Callable[[Batch], None]] | None] = queue.SimpleQueue()
        self._sent: list[_Sent] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="batch-worker", daemon=True)
        self._busy_since_s: float | None = None
        self._consumed = metrics.counter(RECORDS_CONSUMED)
        self._delivered = metrics.counter(RECORDS_DELIVERED)
        self._retries = metrics.counter(RETRIES)
        self._batch_records = metrics.histogram(BATCH_RECORDS)
        self._handler_seconds = metrics.histogram(HANDLER_SECONDS)
        self._delivery_seconds = metrics.histogram(DELIVERY_SECONDS)
        self._in_flight = metrics.gauge(BATCHES_IN_FLIGHT)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def submit(self, batch: Batch, done: Callable[[Batch], None]) -> None:
        """Work on a batch; ``done`` is called from this worker's thread when all that it produced is acknowledged."""
        self._inbox.put((batch, done))

    def stop(self, timeout_s: float) -> None:
        """Finish nothing more. Batches that are not done yet never will be: their offsets stay uncommitted."""
        self._stop.set()
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def busy_s(self) -> float:
        """How long the handler has been at the batch in hand; 0 when it has none."""
        since = self._busy_since_s
        return 0.0 if since is None else time.monotonic() - since

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._turn()
        except BaseException as error:  # noqa: BLE001 - whatever it is, nothing may be acknowledged behind it
            self._fail_stop("the batch worker", error)

    def _turn(self) -> None:
        """Take one batch if there is one, else wait for reports or work, whichever is due."""
        try:
            item = self._inbox.get_nowait() if self._sent else self._inbox.get(timeout=_IDLE_WAIT_S)
        except queue.Empty:
            self._sender.poll(_REPORT_WAIT_S if self._sent else 0.0)
        else:
            if item is not None:
                self._work(*item)
        self._settle()
        if self._sent and passing(self._sent[0].reports):
            self._send_again()

    def _work(self, batch: Batch, done: Callable[[Batch], None]) -> None:
        if not self._begin(batch):
            return
        records = input_records(batch)
        self._consumed.labels(batch.partition[0]).inc(len(records))
        self._batch_records.observe(len(records))
        outputs = self._until_it_works(lambda: self._handle(records))
        if outputs is not None:
            self._send(batch, outputs, done)

    def _send(self, batch: Batch, outputs: Sequence[OutputRecord], done: Callable[[Batch], None]) -> None:
        """Send what the handler made; a full queue is waited for, and the handler not asked again."""
        states = [output for output in outputs if output.is_state]
        others = [output for output in outputs if not output.is_state] if states else outputs
        reports = self._until_it_works(lambda: self._sender.send(others))
        if reports is not None:
            self._sent.append(_Sent(batch, outputs, reports, done, states))
            self._in_flight.set(len(self._sent))

    def _send_again(self) -> None:
        """The broker was away for longer than the producer waits: send the first batch and all behind it once more, in order."""
        while not all(sent.reports.settled for sent in self._sent):  # else old copies could land behind the new ones
            if self._wait_polling(_RESEND_PAUSE_S):
                return
        self._retries.labels("delivery").inc()
        _log.warning("the broker was away: sending again", batches=len(self._sent))
        if self._wait_polling(_RESEND_PAUSE_S):
            return
        again, self._sent = self._sent, []
        for sent in again:
            if sent.batch.dropped:  # its next owner sends it; our late copy could land behind newer words
                sent.done(sent.batch)
            elif not self._stop.is_set():
                self._send(sent.batch, sent.outputs, sent.done)
        self._in_flight.set(len(self._sent))

    def _handle(self, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        begun_at_s = self._busy_since_s = time.monotonic()
        try:
            outputs = self._handler(records)
        finally:
            self._busy_since_s = None
        self._handler_seconds.observe(time.monotonic() - begun_at_s)
        return outputs

    def _until_it_works(self, act: Callable[[], _Result]) -> _Result | None:
        """Try again while something outside is away. None: we were stopped meanwhile."""
        wait_s = _RETRY_FIRST_S
        while True:
            try:
                made = act()
            except (Recoverable, Rejected, RegistryUnavailable) as error:
                self._retries.labels(cause_of(error)).inc()
                self._on_waiting(error)
                _log.warning(
                    "waiting to try a batch again", wait_s=wait_s, error=type(error).__name__, message=str(error)
                )
            else:
                self._on_waiting(None)
                return made
            if self._wait_polling(wait_s):
                return None
            wait_s = min(wait_s * 2, _RETRY_MAX_S)

    def _wait_polling(self, wait_s: float) -> bool:
        """Wait, while the reports of earlier batches go on coming in; True: we were stopped."""
        until_s = time.monotonic() + wait_s
        while not self._stop.is_set() and (left_s := until_s - time.monotonic()) > 0:
            self._sender.poll(min(left_s, 0.05))
            self._settle()
            self._stop.wait(min(left_s, 0.01))
        return self._stop.is_set()

    def _settle(self) -> None:
        """Report the batches whose records are all acknowledged, up to the first that is not; a lasting failure is a surprise."""
        if not self._sent:
            return
        now_s = time.monotonic()
        for sent in self._sent:
            failure = sent.reports.failure
            if failure is not None and not passing(sent.reports):
                raise failure
            if not sent.reports.settled and now_s - sent.reports.sent_at_s > self._delivery_timeout_s:
                raise sent.reports.unfinished()
        while self._sent and self._sent[0].reports.settled and self._sent[0].reports.failure is None:
            if self._sent[0].states and not self._sent[0].batch.dropped:
                if not self._send_states(self._sent[0]):
                    break
            else:
                self._report(self._sent.pop(0))
        self._in_flight.set(len(self._sent))

    def _send_states(self, sent: _Sent) -> bool:
        """All that the first batch's states speak of is acknowledged: send them. False: the queue is full, try at the next turn."""
        try:
            reports = self._sender.send(sent.states)
        except Rejected:
            return False
        self._sent[0] = sent._replace(reports=reports, states=())
        return True

    def _report(self, sent: _Sent) -> None:
        self._delivery_seconds.observe(time.monotonic() - sent.reports.sent_at_s)
        counts: dict[str, int] = {}
        for output in sent.outputs:
            counts[output.topic] = counts.get(output.topic, 0) + 1
        for topic, count in counts.items():
            self._delivered.labels(topic).inc(count)
        sent.done(sent.batch)


def passing(reports: Reports) -> bool:
    """Whether a delivery failed of something that passes, so that sending again helps."""
    failure = reports.failure
    return isinstance(failure, DeliveryFailed) and failure.retriable and failure.code in _PASSING


def input_records(batch: Batch) -> list[InputRecord]:
    """The records of a batch as a handler takes them."""
    topic, partition = batch.partition
    return [
        InputRecord(
            topic,
            partition,
            record.offset,
            -1 if record.timestamp is None else record.timestamp,
            record.key,
            record.value,
            tuple(record.headers),
        )
        for record in batch.records
    ]
