"""What becomes of batches: through the handler, to the broker, and done when every record is acknowledged. The same under both transports.

It has no thread of its own: whoever owns the producer drives it (the plain loop itself, a thread beside Faust's event loop), since delivery
reports arrive where records are sent. Several batches may wait for their reports while the next is worked on; each is reported done, in
order, only when all of its own reports and all before it are in. What is away is waited for: a delivery that was given up is sent again,
and with it all behind it, so that the newest value of each key is written last. Whatever sending again cannot mend is raised.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from contracts.registry import RegistryUnavailable

from runtime.errors import DeliveryFailed, ProducerBroken, Recoverable, Rejected
from runtime.kafka.deadletter import REASON, STAGE, header
from runtime.kafka.records import Handler, InputRecord, OutputRecord
from runtime.service.logs import get_logger
from runtime.service.metrics import (
    BATCH_RECORDS,
    BATCHES_IN_FLIGHT,
    DEAD_LETTERS,
    DELIVERY_SECONDS,
    HANDLER_SECONDS,
    RECORDS_CONSUMED,
    RECORDS_DELIVERED,
    RETRIES,
    Metrics,
)
from runtime.stream.ledger import Batch
from runtime.stream.retry import Backoff, cause_of

_log = get_logger(__name__)
_Result = TypeVar("_Result")

_SLICE_S = 0.05
_REST_S = 0.01
_RESEND_PAUSE_S = 0.5
_DELIVERY_TIMEOUT_S = 180.0


class Reports(Protocol):
    """The reports of one batch: what `runtime.kafka.delivery.Delivery` offers."""

    sent_at_s: float

    @property
    def settled(self) -> bool:
        """Whether every report has come."""

    @property
    def failure(self) -> DeliveryFailed | None:
        """What went wrong, or None."""

    @property
    def broken(self) -> ProducerBroken | None:
        """Set when the client can never send again."""

    def unfinished(self) -> DeliveryFailed:
        """The error for reports that did not come in time."""


class Sender(Protocol):
    """What `runtime.kafka.delivery.DeliveryProducer` offers; a test's fake has the same."""

    def send(self, records: Sequence[OutputRecord]) -> Reports:
        """Queue a batch."""

    def poll(self, timeout_s: float = ...) -> None:
        """Run the callbacks of reports that have come."""

    def close(self, timeout_s: float) -> int:
        """Wait for all reports; returns how many are missing."""


Wait = Callable[[Callable[[float], bool]], None]
"""Calls a function until it is true, each time with the seconds for which it may block; what must go on meanwhile goes on between."""
Call = Callable[[Handler, Sequence[InputRecord]], Sequence[OutputRecord]]
Done = Callable[[Batch], object]


def simply_wait(is_over: Callable[[float], bool]) -> None:
    """Wait where nothing else must go on meanwhile."""
    while not is_over(_SLICE_S):
        pass


def simply_call(handler: Handler, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
    """Call a handler right here."""
    return handler(records)


def _nothing(_: Exception | None) -> None:
    """Nobody is told."""


@dataclass(slots=True)
class _Sent:
    """Batches that were handled together, and what they produced."""

    batches: Sequence[Batch]
    outputs: Sequence[OutputRecord]
    done: Done
    reports: Reports
    states: Sequence[OutputRecord] = ()
    """Still to be sent."""


class Worker:
    """Works batch after batch, in the order they are given.

    Args:
        handler: Records in, records out.
        sender: Where the records out go. It belongs to whoever drives this.
        metrics: Where counts and times go.
        stop: Ends the waiting; what is not done then never is, and its offsets stay uncommitted.
        wait: Waits.
        call: Calls the handler.
        on_waiting: Told what a batch waits for, and None when it does not.
        backoff: Pauses between tries.
        delivery_timeout_s: How long a batch may wait for its reports before that is a surprise; above the producer's own timeout, at
            which it reports the batch as failed.
    """

    def __init__(
        self,
        handler: Handler,
        sender: Sender,
        metrics: Metrics,
        stop: threading.Event,
        *,
        wait: Wait = simply_wait,
        call: Call = simply_call,
        on_waiting: Callable[[Exception | None], None] = _nothing,
        backoff: Backoff | None = None,
        delivery_timeout_s: float = _DELIVERY_TIMEOUT_S,
    ) -> None:
        self.stop = stop
        self._handler = handler
        self._sender = sender
        self._wait = wait
        self._call = call
        self._on_waiting = on_waiting
        self._backoff = backoff or Backoff()
        self._delivery_timeout_s = delivery_timeout_s
        self._sent: deque[_Sent] = deque()
        self._consumed = metrics.counter(RECORDS_CONSUMED)
        self._delivered = metrics.counter(RECORDS_DELIVERED)
        self._dead_letters = metrics.counter(DEAD_LETTERS)
        self._retries = metrics.counter(RETRIES)
        self._batch_records = metrics.histogram(BATCH_RECORDS)
        self._handler_seconds = metrics.histogram(HANDLER_SECONDS)
        self._delivery_seconds = metrics.histogram(DELIVERY_SECONDS)
        self._in_flight = metrics.gauge(BATCHES_IN_FLIGHT)

    @property
    def in_flight(self) -> int:
        """How often was sent what is not acknowledged."""
        return len(self._sent)

    @property
    def failed(self) -> bool:
        """Whether the first of them was not taken by the broker."""
        return bool(self._sent) and self._sent[0].reports.failure is not None

    def work(self, batches: Sequence[Batch], records: Sequence[InputRecord], done: Done) -> None:
        """Handle the records of some batches together and send what they give.

        Args:
            batches: Begun, see `runtime.stream.ledger.OffsetLedger.start`.
            records: Theirs.
            done: Called with each batch when all that they produced is acknowledged.

        Raises:
            Exception: Whatever the handler raised that no waiting mends.
        """
        self._batch_records.observe(len(records))
        for batch in batches:
            self._consumed.labels(batch.partition[0]).inc(len(batch.records))
        outputs = self._until_it_works(lambda: self._handle(records))
        if outputs is not None:
            self._send(batches, outputs, done)

    def turn(self) -> None:
        """Report what is acknowledged, and send again what the broker did not take.

        Raises:
            DeliveryFailed: Sending the same again cannot help.
            ProducerBroken: Nothing will ever be acknowledged: end the process.
        """
        self._settle()
        if self.failed:
            self._send_again()

    def await_report(self, slice_s: float) -> None:
        """Take the reports that have come, waiting for one."""
        self._sender.poll(slice_s)
        self._settle()

    def drain(self, limit_s: float, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Wait a bounded time for what is in flight and report what was acknowledged, up to the first that was not."""
        deadline_s = time.monotonic() + limit_s
        self._report_front()
        while self._sent and not self.failed and time.monotonic() < deadline_s:
            self._sender.poll(_SLICE_S)
            self._report_front()
            meanwhile()

    def pause(self, pause_s: float) -> bool:
        """Wait, while the reports of earlier batches go on coming in; True: we were stopped."""
        deadline_s = time.monotonic() + pause_s

        def is_over(slice_s: float) -> bool:
            until_s = min(deadline_s, time.monotonic() + slice_s)
            while (left_s := until_s - time.monotonic()) > 0 and not self.stop.is_set():
                self._sender.poll(min(left_s, _SLICE_S))
                self._settle()
                self.stop.wait(min(left_s, _REST_S))
            return self.stop.is_set() or time.monotonic() >= deadline_s

        self._wait(is_over)
        return self.stop.is_set()

    def _handle(self, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        begun_at_s = time.monotonic()
        outputs = self._call(self._handler, records)
        self._handler_seconds.observe(time.monotonic() - begun_at_s)
        return outputs

    def _until_it_works(self, act: Callable[[], _Result]) -> _Result | None:
        """Try again while something outside is away. None: we were stopped meanwhile."""
        for pause_s in self._backoff.pauses_s():
            try:
                result = act()
            except (Recoverable, Rejected, RegistryUnavailable) as error:
                self._retries.labels(cause_of(error)).inc()
                self._on_waiting(error)
                _log.warning(
                    "waiting",
                    pause_s=round(pause_s, 2),
                    error=type(error).__name__,
                    message=str(error),
                )
            else:
                self._on_waiting(None)
                return result
            if self.pause(pause_s):
                break
        return None

    def _send(self, batches: Sequence[Batch], outputs: Sequence[OutputRecord], done: Done) -> None:
        """Send what the handler gave; a full queue is waited for, and the handler not asked again.

        What was taken from us meanwhile is not sent: its next owner sends it, and ours would come behind newer values.
        """
        states = [output for output in outputs if output.is_state]
        others = [output for output in outputs if not output.is_state] if states else outputs

        def act() -> Reports | bool:
            return all(batch.dropped for batch in batches) or self._sender.send(others)

        reports = self._until_it_works(act)
        if isinstance(reports, bool):
            _report(batches, done)
        elif reports is not None:
            for batch in batches:
                batch.records = ()  # only what is sent is needed from here on
            self._sent.append(_Sent(batches, outputs, done, reports, states))
            self._in_flight.set(len(self._sent))

    def _send_again(self) -> None:
        """The broker was away for longer than the producer waits: send the first batch and all behind it once more, in order."""
        while not all(sent.reports.settled for sent in self._sent):  # else old copies could land behind the new ones
            if self.pause(_RESEND_PAUSE_S):
                return
        self._retries.labels("delivery").inc()
        _log.warning("the broker was away: sending again", batches=len(self._sent))
        if self.pause(next(self._backoff.pauses_s())):
            return
        again, self._sent = self._sent, deque()
        for sent in again:
            if self.stop.is_set():
                break
            self._send(sent.batches, sent.outputs, sent.done)
        self._in_flight.set(len(self._sent))

    def _settle(self) -> None:
        """Report the batches whose records are all acknowledged, up to the first that is not; a lasting failure is raised."""
        if not self._sent:
            return
        oldest_s = time.monotonic() - self._delivery_timeout_s
        for sent in self._sent:
            if (failure := sent.reports.failure) is not None and not failure.retriable:
                raise sent.reports.broken or failure
            if not sent.reports.settled and sent.reports.sent_at_s < oldest_s:
                raise sent.reports.unfinished()
        self._report_front()

    def _report_front(self) -> None:
        while self._sent and self._sent[0].reports.settled and self._sent[0].reports.failure is None:
            first = self._sent[0]
            if first.states and not all(batch.dropped for batch in first.batches):
                if not self._send_states(first):
                    break
            else:
                self._complete(self._sent.popleft())
        self._in_flight.set(len(self._sent))

    def _send_states(self, sent: _Sent) -> bool:
        """All that the first batch's states speak of is acknowledged: send them. False: the queue is full, try at the next turn."""
        try:
            sent.reports = self._sender.send(sent.states)
        except Rejected:
            return False
        sent.states = ()
        return True

    def _complete(self, sent: _Sent) -> None:
        self._delivery_seconds.observe(time.monotonic() - sent.reports.sent_at_s)
        for topic, count in Counter([output.topic for output in sent.outputs]).items():
            self._delivered.labels(topic).inc(count)
        for headers in [output.headers for output in sent.outputs if output.headers]:
            if (reason := header(headers, REASON)) is not None:
                stage = header(headers, STAGE) or b""
                self._dead_letters.labels(stage.decode(), reason.decode()).inc()
        _report(sent.batches, sent.done)


def _report(batches: Sequence[Batch], done: Done) -> None:
    for batch in batches:
        done(batch)
