"""The thread beside Faust's event loop in which batches are worked on. It owns the producer; the loop stays free for fetching and heartbeats."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from runtime.kafka.records import Handler, InputRecord, OutputRecord
from runtime.service.metrics import Metrics
from runtime.stream.ledger import Batch
from runtime.stream.worker import Done, Sender, Worker

_REPORT_WAIT_S = 0.002
_IDLE_WAIT_S = 0.25
_CALL_S = 0.1
"""What is joined in one call must not take longer, at the pace of the call before: records would wait, and so would who asks us to stop."""


class BatchWorker:
    """Runs a `Worker` over batches in the order they are submitted.

    Args:
        handler: Records in, records out.
        sender: Where the records out go. It belongs to this thread from now on.
        fail_stop: Called with anything that is neither poison nor recoverable.
        metrics: Where counts and times go.
        begin: Asked before each batch; False means that the batch is no longer ours.
        call_records: Batches that wait together, of whatever partitions, go to the handler in one call of at most so many records, as far
            as it is fast enough. 1: each by itself.
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
        call_records: int = 1,
        **options: Any,
    ) -> None:
        self.worker = Worker(handler, sender, metrics, threading.Event(), call=self._call, **options)
        self._sender = sender
        self._fail_stop = fail_stop
        self._begin = begin
        self._call_records = call_records
        self._inbox: queue.SimpleQueue[tuple[Batch, Done] | None] = queue.SimpleQueue()
        self._taken: deque[tuple[Batch, Done]] = deque()
        self._thread = threading.Thread(target=self._run, name="batch-worker", daemon=True)
        self._busy_since_s: float | None = None
        self._together = 1

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
        """Work on what waits if anything does, else wait for reports or work, whichever is due."""
        in_flight = self.worker.in_flight
        if not (self._take(in_flight) or self._taken):
            self._sender.poll(_REPORT_WAIT_S if in_flight else 0.0)
        elif begun := self._begun():
            records = [record for batch in begun for record in batch.records]
            self.worker.work(list(begun), records, lambda batch: begun[batch](batch))
        self.worker.turn()

    def _take(self, in_flight: int) -> bool:
        """Take over what was submitted; waits for it when there is nothing else to do. Whether there was anything."""
        try:
            item = self._inbox.get_nowait() if in_flight or self._taken else self._inbox.get(timeout=_IDLE_WAIT_S)
            while True:
                if item is not None:
                    self._taken.append(item)
                item = self._inbox.get_nowait()
        except queue.Empty:
            return bool(self._taken)

    def _begun(self) -> dict[Batch, Done]:
        """The next batches that are still ours, together within the bound unless one alone is beyond it."""
        begun: dict[Batch, Done] = {}
        count = 0
        while self._taken and (not begun or count + len(self._taken[0][0].records) <= self._together):
            batch, done = self._taken.popleft()
            if self._begin(batch):
                begun[batch] = done
                count += len(batch.records)
        return begun

    def _call(self, handler: Handler, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        began_at_s = self._busy_since_s = time.monotonic()
        try:
            return handler(records)
        finally:
            self._busy_since_s = None
            took_s = max(time.monotonic() - began_at_s, 1e-9)
            self._together = min(self._call_records, int(len(records) * _CALL_S / took_s))
