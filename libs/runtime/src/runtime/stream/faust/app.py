"""A Faust application that moves whole batches and loses nothing: read, hand over, publish, wait for the reports, then commit.

A service declares one agent on `BatchApp.batches`, whose body is `BatchApp.handle_all`, and calls `run`::

    app = BatchApp(settings, group="extractor", topic=..., handler=handle, sender=producer, ...)

    @app.agent(app.batches)
    async def extract(stream):
        await app.handle_all(stream)

    run(app)

Everything else (one batch in order per partition, acknowledgement after delivery, commit on revocation, back-pressure, end on a surprise)
happens here. Stock Faust acknowledges what an agent failed at, and moves one record at a time.
"""

import asyncio
import gc
import logging
import signal
import threading
from collections.abc import Callable
from typing import Any, cast

import faust
from faust import Stream, streams
from faust.types import EventT, StreamT

from runtime.errors import ReadingBroken, RxtractError
from runtime.kafka.consumer_errors import ConsumerErrors, ErrorKind, kind_of_line
from runtime.kafka.records import Handler
from runtime.service import logs
from runtime.service.health import Liveness, Readiness
from runtime.service.logs import get_logger
from runtime.service.metrics import Metrics
from runtime.service.settings import TRIES, ServiceSettings
from runtime.service.tls import broker_context
from runtime.stream.attempts import quarantined
from runtime.stream.faust.consumer import BatchConsumer, BatchTransport
from runtime.stream.faust.state import BATCH_METRICS, BatchLimits, BatchState
from runtime.stream.faust.stop import FailStop, leave_now
from runtime.stream.faust.worker import BatchWorker
from runtime.stream.ledger import Batch
from runtime.stream.state import ASSIGNED
from runtime.stream.swollen import SwollenReader
from runtime.stream.worker import Sender

__all__ = ["ASSIGNED", "BATCH_METRICS", "BatchApp", "BatchLimits", "FailStop", "credentials", "leave_now", "run"]

_log = get_logger(__name__)

_TICK_S = 0.5
_CLOSE_WAIT_S = 5.0
_LEAVE_WAIT_S = 2.0
_COLLECT_AFTER_OBJECTS = 50_000
_STREAM_BUFFER_BATCHES = (
    65_536  # never full: the ledger's bounds stop the fetching long before; a full one would sleep a second
)
_METADATA_AGE_MS = 10_000
"""New partitions are seen within so long."""
_NO_POLL_LIMIT_S = 24 * 3600.0  # a batch may wait long for the registry; a hung handler is what liveness is for


class AcceleratorMissingError(RxtractError):
    """Faust's compiled stream iterator is not there; the pure-Python one acknowledges stale events that it skipped."""


class StreamEndedError(RxtractError):
    """Faust stopped the stream by itself."""


class PassThrough(faust.Schema[Any, Any]):
    """Hands the batch over as it is: decoding belongs to the handler, record by record."""

    def compile(self, app: Any, **_: Any) -> Callable[..., Any]:
        """Make the function that turns a message into an event."""
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:  # noqa: ARG001 - upstream's signature
            return create_event(None, message.value, message.headers, message)

        return decode


class BatchApp(faust.App):
    """A Faust application around one topic, one handler and one producer.

    Args:
        settings: Addresses, security, prefixes.
        group: Consumer group without its prefix; also Faust's application id.
        topic: Full name of the topic to read.
        handler: Records in, records out; runs in the worker's thread.
        sender: Takes the records out; belongs to the worker's thread from now on.
        limits: Bounds.
        session_timeout_s: How long the partitions of a killed process stand still; the broker's floor is 6 s.
        instance_id: Static membership; a restart under the same id takes its partitions over without a rebalance.
        stage: Who refuses a record that killed the process `tries` times, for its dead letter; the group's name when empty.
        tries: See `runtime.stream.attempts`.
        errors: Takes what consumers are told in place of records; may be shared with others of the same process.
    """

    logger = logging.getLogger("faust.app")  # else mode's chatter would carry our name and our level

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        group: str,
        topic: str,
        handler: Handler,
        sender: Sender,
        metrics: Metrics,
        liveness: Liveness,
        readiness: Readiness,
        limits: BatchLimits | None = None,
        fail_stop: FailStop | None = None,
        session_timeout_s: float = 8.0,
        instance_id: str | None = None,
        stage: str = "",
        tries: int = TRIES,
        errors: ConsumerErrors | None = None,
    ) -> None:
        check_accelerator()
        limits = limits or BatchLimits()
        self.fail_stop = fail_stop or FailStop()
        self.batching = BatchState(
            limits, self.fail_stop, metrics, liveness, readiness=readiness, tries=tries, swollen=SwollenReader(settings)
        )
        self.worker = BatchWorker(
            quarantined(handler, self.batching.attempts, stage or group),
            sender,
            self._worker_failed,
            metrics,
            begin=self.batching.ledger.start,
            call_records=limits.call_records,
            on_waiting=self.batching.waits_for,
        )
        self.sender = sender
        self.errors = errors or ConsumerErrors(metrics, readiness)
        super().__init__(
            settings.group(group),
            broker=f"kafka://{settings.bootstrap_servers.replace(',', ';kafka://')}",
            broker_client_id=settings.client_id,
            broker_credentials=credentials(settings),
            broker_session_timeout=session_timeout_s,
            broker_heartbeat_interval=session_timeout_s / 4,
            broker_max_poll_records=limits.poll_records,
            broker_max_poll_interval=_NO_POLL_LIMIT_S,
            consumer_max_fetch_size=limits.partition_fetch_bytes,
            consumer_auto_offset_reset="none",  # a position that the broker does not have is reported, and we decide
            consumer_metadata_max_age_ms=_METADATA_AGE_MS,
            consumer_group_instance_id=instance_id,
            stream_buffer_maxsize=_STREAM_BUFFER_BATCHES,
            stream_recovery_delay=0.0,
            stream_wait_empty=False,
            store="memory://",
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
            worker_redirect_stdouts=False,
            debug=False,
        )
        self.batches = self.topic(topic, schema=PassThrough(key_type=None, value_type=None))

    async def handle_all(self, stream: StreamT[Any]) -> None:
        """Hand every batch of a stream over; the body of the agent. Whatever goes wrong ends the process."""
        try:
            async for event in cast("Stream[Any]", stream).noack().events():
                self.handle(event)
        except Exception as error:  # noqa: BLE001 - Faust would restart the agent and acknowledge behind the failure
            self.fail_stop("the agent", error)
        if not self.fail_stop.stopping:
            self.fail_stop("the agent", StreamEndedError("the stream ended though nobody asked it to"))

    def handle(self, event: EventT[Any]) -> None:
        """Hand an event's batch to the worker; the event is acknowledged when all that it produced is."""
        batch = cast("Batch", event.message.value)
        loop = asyncio.get_running_loop()

        def done(_: Batch) -> None:
            loop.call_soon_threadsafe(event.ack)

        self.worker.submit(batch, done)

    def _worker_failed(self, where: str, error: BaseException) -> None:
        """A fault that we name ourselves (the budget of dead letters) is no death of the record in hand: the next owner is told so."""
        if isinstance(error, RxtractError):
            cast("BatchConsumer", self.consumer).leave_soon(_LEAVE_WAIT_S)
        self.fail_stop(where, error)

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Nothing is kept on disk, and the root file system may be read-only."""

    def _crash(self, reason: BaseException) -> None:
        """Some service below us failed: Faust would stop in good order and commit on the way."""
        cast("BatchConsumer", self.consumer).surprise("Faust", reason)
        super()._crash(reason)


def check_accelerator() -> None:
    """Make sure that Faust's compiled stream iterator is used.

    Raises:
        AcceleratorMissingError: It is not.
    """
    if getattr(streams, "_CStreamIterator", None) is None:  # this is what Faust looks at itself
        raise AcceleratorMissingError(
            "Faust's compiled stream iterator is missing: install a faust-streaming wheel for this Python, and unset NO_CYTHON"
        )


def credentials(settings: ServiceSettings) -> Any:
    """The broker login as Faust takes it; None for plain text without a login."""
    context = broker_context(settings)
    if settings.security_protocol.startswith("SASL"):
        password = settings.sasl_password
        return faust.SASLCredentials(
            username=settings.sasl_username,
            password=None if password is None else password.get_secret_value(),
            mechanism=settings.sasl_mechanism,
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context)


def run(app: BatchApp, stop: threading.Event | None = None) -> int:
    """Work until SIGTERM or SIGINT; returns the exit code. A surprise ends the process from within.

    Args:
        app: Its agents are declared.
        stop: Set when the process was already asked to stop; set at a signal too.
    """
    return asyncio.run(_serve(app, stop or threading.Event()))


async def _serve(app: BatchApp, stopped: threading.Event) -> int:
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        stopped.set()
        asked_to_stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    if stopped.is_set():  # between the caller's own signal handler and ours
        return 0
    ticker = asyncio.create_task(_tick(app))
    app.worker.start()
    try:
        starting = asyncio.create_task(app.start())
        stop = asyncio.create_task(asked_to_stop.wait())
        await asyncio.wait({starting, stop}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            _spare_the_collector()
        await asked_to_stop.wait()
    except Exception as error:  # noqa: BLE001 - it could not even start
        app.fail_stop("the start", error)
        return 1
    starting.cancel()
    await _stop(app)
    ticker.cancel()
    return 0


def _spare_the_collector() -> None:
    """What lives now lives on, and a batch's records die by their counts: collecting garbage often would cost a tenth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER_OBJECTS, 20, 20)


async def _tick(app: BatchApp) -> None:
    """Tick while the event loop turns and nothing stands still."""
    reported = None
    while True:
        stuck = app.batching.stuck(app.worker.busy_s())
        if stuck is None:
            app.batching.liveness.tick()
        elif stuck != reported:
            _log.error("standing still", what=stuck)
        reported = stuck
        app.batching.publish_progress(app.batching.waiting)
        _check_coordinator(app)
        _check_reading(app)
        await asyncio.sleep(_TICK_S)


def _check_coordinator(app: BatchApp) -> None:
    if app.fail_stop.stopping:
        return  # it ends in good order
    try:
        cast("BatchConsumer", app.consumer).check_coordinator()
    except Exception as error:  # noqa: BLE001 - whatever it died of, no partition would ever come again
        app.fail_stop("the group coordinator", error)


def _check_reading(app: BatchApp) -> None:
    """What the client only logs is counted; a topic that is gone is told, and ends the process when it stays away."""
    for kind, count in logs.third_party.taken():
        app.errors.count(kind_of_line(kind), count)
    if app.fail_stop.stopping:
        return
    topic = app.batches.get_topic_name()
    exists = cast("BatchConsumer", app.consumer).topic_exists(topic)
    if exists is False:
        app.errors.lasts(ErrorKind.MISSING_TOPIC, topic)
    elif exists:
        app.errors.exists([topic])
    try:
        app.errors.check()
    except ReadingBroken as error:
        app.fail_stop("reading", error)


async def _stop(app: BatchApp) -> None:
    """Take no more, finish what is under way, commit, leave the group."""
    app.fail_stop.stopping = True
    consumer = cast("BatchConsumer", app.consumer)
    consumer.stop_flow()
    app.flow_control.suspend()
    try:
        finished = await consumer.finish_and_commit(app.batching.limits.stop_wait_s)
    except Exception as error:  # noqa: BLE001 - what is not committed is read again; the exit is still an orderly one
        finished = False
        _log.warning("could not commit while stopping", error=type(error).__name__)
    if not finished:
        _log.warning("what is not done will be read again", batches=app.batching.ledger.started)
    app.worker.stop(_CLOSE_WAIT_S)
    app.sender.close(_CLOSE_WAIT_S)
    try:
        await asyncio.wait_for(app.stop(), _CLOSE_WAIT_S)
    except Exception as error:  # noqa: BLE001 - all is committed; the broker will notice that we are gone
        _log.warning("did not leave the group in good order", error=type(error).__name__)
