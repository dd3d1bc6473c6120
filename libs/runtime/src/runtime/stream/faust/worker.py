"""The thread beside Faust's event loop in which batches are worked on. It owns the producer; the loop stays free for fetching and heartbeats."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from runtime.kafka.records import Handler, InputRecord, OutputRecord
from runtime.service.metrics import Metrics
from runtime.stream.ledger import Batch
from runtime.stream.worker import Done, Sender, Worker

_REPORT_WAIT_S = 0.002
_IDLE_WAIT_S = 0.25


class BatchWorker:
    """Runs a `Worker` over batches in the order they are submitted.

    Args:
        handler: Records in, records out.
        sender: Where the records out go. It belongs to this thread from now on.
        fail_stop: Called with anything that is neither poison nor recoverable.
        metrics: Where counts and times go.
        begin: Asked before each batch; False means that the batch is no longer ours.
        options: More for `Worker`.
    """

    def __init__(
        self,
        handler: Handler,
        sender: Sender,
        fail_stop: Callable[[str, BaseException], None],
        metrics: Metrics,
        *,
        begin: Callable[[Batch], bool],
        **options: Any,
    ) -> None:
        self.worker = Worker(handler, sender, metrics, threading.Event(), call=self._call, **options)
        self._sender = sender
        self._fail_stop = fail_stop
        self._begin = begin
        self._inbox: queue.SimpleQueue[tuple[Batch, Done] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="batch-worker", daemon=True)
        self._busy_since_s: float | None = None

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def submit(self, batch: Batch, done: Done) -> None:
        """Work on a batch; ``done`` is called from this thread when all that it produced is acknowledged."""
        self._inbox.put((batch, done))

    def stop(self, timeout_s: float) -> None:
        """Finish nothing more. Batches that are not done yet never will be: their offsets stay uncommitted."""
        self.worker.stop.set()
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def busy_s(self) -> float:
        """How long the handler has been at the batch in hand; 0 when it has none."""
        since = self._busy_since_s
        return 0.0 if since is None else time.monotonic() - since

    def _run(self) -> None:
        try:
            while not self.worker.stop.is_set():
                self._turn()
        except BaseException as error:  # noqa: BLE001 - whatever it is, nothing may be acknowledged behind it
            self._fail_stop("the batch worker", error)

    def _turn(self) -> None:
        """Take one batch if there is one, else wait for reports or work, whichever is due."""
        in_flight = self.worker.in_flight
        try:
            item = self._inbox.get_nowait() if in_flight else self._inbox.get(timeout=_IDLE_WAIT_S)
        except queue.Empty:
            self._sender.poll(_REPORT_WAIT_S if in_flight else 0.0)
        else:
            if item is not None and self._begin(item[0]):
                batch, done = item
                self.worker.work([batch], input_records(batch), done)
        self.worker.turn()

    def _call(self, handler: Handler, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        self._busy_since_s = time.monotonic()
        try:
            return handler(records)
        finally:
            self._busy_since_s = None


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
