"""The only place that constructs clients. Every outside thing is a parameter, with the real one as default."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer
from contracts.records import QualityMeasured
from contracts.registry import ConfluentRegistry, Registry
from contracts.topics import (
    QUALITY_MEASURED,
    dlq_of,
    load_topics,
)
from contracts.wire import Deserializer, Serializer
from fastapi import FastAPI
from outcomes.kpis import Assumptions
from outcomes.records_at_rest import DamagedManifest, FolderInUse, RecordsAtRest
from redis import Redis
from runtime.access_log import AccessLog, TopicAccesses
from runtime.client_tokens import Tokens
from runtime.consumer_errors import ConsumerErrors
from runtime.delivery import DeliveryProducer, KafkaProducer
from runtime.errors import DeliveryFailed, Recoverable, Rejected, SettingsError
from runtime.health import AllAlive, HealthServer, Liveness, Readiness
from runtime.http_server import HTTP
from runtime.lease import Lease
from runtime.loop import CONSUMER_DEFAULTS
from runtime.metrics import Metrics
from runtime.people import People
from runtime.positions import IN_REACH, counting, cut_off
from runtime.pseudonyms import MIN_KEY_BYTES, Pseudonyms
from runtime.records import OutputRecord
from runtime.retry import retrying
from runtime.secret_files import read_key
from runtime.settings import time_zone
from runtime.tracing import Spans, arrivals, open_spans
from runtime.waiting import CONTRACT_READ, CONTRACT_RETRY_S, until_made

from scorekeeper.adapters.ledger import LedgerAccount
from scorekeeper.adapters.sink import Sink
from scorekeeper.adapters.topics import Topics
from scorekeeper.domain.board import Board
from scorekeeper.domain.measuring import Said
from scorekeeper.exposition import Exposition
from scorekeeper.handler import RECORD_TYPES, FoldHandler, Read
from scorekeeper.http.app import make_app
from scorekeeper.http.door import Door
from scorekeeper.http.notes import NotesApi
from scorekeeper.http.page import Page
from scorekeeper.http.questions import Questions
from scorekeeper.metrics import OWN
from scorekeeper.reader import HISTORY, LEASE, HoldsLease, Reader, until_held
from scorekeeper.settings import ScorekeeperSettings

_DELIVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Shared:
    """What the page and the reader hold, and what the outside sees of us."""

    settings: ScorekeeperSettings
    people: People
    board: Board
    metrics: Metrics
    exposition: Exposition
    liveness: Liveness
    http_liveness: Liveness
    readiness: Readiness
    stop: threading.Event
    spans: Spans | None = None


def share(settings: ScorekeeperSettings) -> Shared:
    """Make what both hold.

    Raises:
        SettingsError: The time zone is none, the tokens cannot be read, or Redis' address is not set.
    """
    if settings.redis_url is None:
        raise SettingsError(
            "RXTRACT_REDIS_URL is not set: the lease of the one that exports needs Redis, for example redis://127.0.0.1:6379/0"
        )
    metrics = Metrics(OWN)
    metrics.build_all()
    assumptions = Assumptions(
        settings.entry_minutes, settings.validator_rupees_per_hour, settings.machine_rupees_per_hour
    )
    return Shared(
        settings,
        People(settings.score_tokens_file, "RXTRACT_SCORE_TOKENS_FILE", metrics),
        Board(time_zone(settings.timezone), assumptions, settings.window_notes),
        metrics,
        Exposition(metrics.registry),
        Liveness(),
        Liveness(),
        Readiness(CONTRACT_READ, LEASE, HISTORY, HTTP),
        threading.Event(),
        open_spans(settings),
    )


def health_server(shared: Shared) -> HealthServer:
    """The server of /live, /ready, /metrics and /info."""
    settings = shared.settings
    return HealthServer.of(
        settings,
        liveness=AllAlive(shared.liveness, shared.http_liveness),
        readiness=shared.readiness,
        metrics=shared.metrics,
        info=lambda: {"service": settings.service, "timezone": settings.timezone, "whole": shared.board.whole},
    )


@dataclass(frozen=True, slots=True)
class Codecs:
    """How records become bytes and back."""

    readers: Mapping[str, Read]
    measured: Serializer[QualityMeasured]


def codecs(settings: ScorekeeperSettings, registry: Registry) -> Codecs:
    """Make the codecs of all topics that are read or written.

    Raises:
        RegistryUnavailable: The registry is away.
        SchemaNotFound: Our schemas are not registered yet.
    """
    readers = {
        name: Deserializer.for_topic(record, registry, settings.topic(name)) for name, record in RECORD_TYPES.items()
    }
    return Codecs(readers, Serializer.for_topic(QualityMeasured, registry, settings.topic(QUALITY_MEASURED)))


def topic_names(settings: ScorekeeperSettings) -> dict[str, str]:
    """Contract topic by full name: all that is read."""
    dead = [dlq_of(topic.name) for topic in load_topics().values() if topic.dlq]
    return {settings.topic(name): name for name in (*RECORD_TYPES, *dead)}


def publisher(
    settings: ScorekeeperSettings, write: Serializer[QualityMeasured], producer: KafkaProducer | None = None
) -> Callable[[Sequence[QualityMeasured]], None]:
    """Sends measurements and waits for the broker's word."""
    topic = settings.topic(QUALITY_MEASURED)
    delivery = DeliveryProducer(settings.kafka_client_config(), producer)

    def publish(found: Sequence[QualityMeasured]) -> None:
        records = [OutputRecord(topic, one.model.name.encode(), write(one)) for one in found]
        try:
            delivery.send(records).wait(_DELIVERY_S)
        except (DeliveryFailed, Rejected) as error:
            raise Recoverable(f"Kafka did not take it: {error}") from None

    return publish


def read(shared: Shared, registry: Registry | None = None, lease: HoldsLease | None = None) -> None:
    """The reader's whole life: wait for the contract, then for the lease, then read until stopped.

    Raises:
        SettingsError: The folder is in use, or belongs to another cluster.
        LeaseLost: Another scorekeeper has taken over.
        Stopped: Asked to stop while waiting.
    """
    settings = shared.settings
    made = until_made(
        lambda: codecs(settings, registry or ConfluentRegistry(settings.schema_registry_url)),
        CONTRACT_READ,
        CONTRACT_RETRY_S,
        stop=shared.stop,
        liveness=shared.liveness,
        readiness=shared.readiness,
    )
    if made is None:
        return
    held = lease or _lease(settings)
    until_held(held, shared.stop, shared.liveness, shared.readiness, shared.metrics)
    try:
        make_reader(shared, made, held).run()
    finally:
        held.release()


def _lease(settings: ScorekeeperSettings) -> Lease:
    redis = Redis.from_url(str(settings.redis_url), socket_timeout=2.0, socket_connect_timeout=2.0)
    return Lease(redis, f"rxtract:scorekeeper:{settings.topic_prefix}", settings.lease_s)


def make_reader(shared: Shared, made: Codecs, lease: HoldsLease) -> Reader:
    """Open the folder and put the loop together; only whoever holds the lease may.

    Raises:
        SettingsError: Another process has the folder, or its manifest is damaged.
    """
    settings, names, said = shared.settings, topic_names(shared.settings), Said()
    try:
        records = RecordsAtRest(settings.records_dir)
    except (FolderInUse, DamagedManifest) as error:
        raise SettingsError(f"RXTRACT_RECORDS_DIR cannot be used: {error}") from None
    sink = Sink(
        records,
        settings.records_dir,
        shared.metrics,
        every_s=settings.sink_every_s,
        most_rows=settings.sink_rows,
        merge_every_s=settings.merge_every_s,
    )
    errors = ConsumerErrors(shared.metrics, shared.readiness, settings.fault_limit_s)
    consumer = Consumer(
        {**CONSUMER_DEFAULTS, **settings.kafka_client_config()}
        | {
            "group.id": "rxtract-scorekeeper-unused",
            "error_cb": errors.heard,
        }  # the group only because librdkafka wants one
    )
    fold = FoldHandler(made.readers, names, shared.board, said, sink, shared.metrics, arrivals(shared.spans))
    return Reader(
        Topics(
            consumer,
            names,
            errors,
            counting(shared.metrics),
            lambda place: shared.readiness.miss(IN_REACH, cut_off(place)),
        ),
        fold,
        retrying(fold, shared.stop, on_wait=shared.liveness.tick),
        sink,
        shared.board,
        said,
        publisher(settings, made.measured),
        shared.exposition,
        lease,
        settings.lease_s,
        shared.metrics,
        shared.liveness,
        shared.readiness,
        shared.stop,
    )


def access_log(shared: Shared, producer: KafkaProducer | None = None) -> AccessLog | None:
    """Logs which notes are shown to whom; None where nobody may be shown any.

    Raises:
        SettingsError: There are people and no key, or one that cannot be used.
    """
    settings = shared.settings
    if settings.score_tokens_file is None:
        return None
    if settings.pseudonym_key_file is None:
        raise SettingsError(
            "RXTRACT_PSEUDONYM_KEY_FILE is not set: whoever RXTRACT_SCORE_TOKENS_FILE lets in is logged, and the log names notes by that key"
        )
    key = read_key(settings.pseudonym_key_file, "RXTRACT_PSEUDONYM_KEY_FILE", MIN_KEY_BYTES)
    registry = ConfluentRegistry(settings.schema_registry_url)
    publish = TopicAccesses(settings, registry, settings.access_log_timeout_s, shared.metrics, producer)
    return AccessLog(settings.service, Pseudonyms(key), publish)


def application(shared: Shared) -> FastAPI:
    """The control page and its API."""
    settings = shared.settings
    questions = Questions(settings.records_dir, settings.least_patients)
    account = LedgerAccount(settings.ledger_url) if settings.ledger_url else None
    page = Page(shared.board, questions, settings.least_patients, settings.score_desk_url, account)
    return make_app(page, Door(shared.people, access_log(shared)), shared.board, shared.stop, notes_api(shared))


def notes_api(shared: Shared) -> NotesApi | None:
    """Answers clients what became of their notes; None where no client is known."""
    path = shared.settings.score_client_tokens_file
    if path is None:
        return None
    tokens = Tokens({}, path, shared.metrics, variable="RXTRACT_SCORE_CLIENT_TOKENS_FILE")
    return NotesApi(shared.settings.records_dir, shared.board, tokens)
