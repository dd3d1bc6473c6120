"""The only place that constructs clients. Every outside thing is a parameter, with the real one as default."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts.records import EntitiesExtracted, QualityMeasured
from contracts.registry import ConfluentRegistry, Registry
from contracts.topics import (
    ENTITIES_CODED,
    QUALITY_MEASURED,
    WEBHOOK_DELIVERIES,
    dlq_of,
    load_topics,
)
from contracts.wire import Deserializer, Serializer
from fastapi import FastAPI
from outcomes.kpis import Assumptions
from outcomes.records_at_rest import CODES, CODES_SCHEMA, DamagedManifest, FolderInUse, RecordsAtRest
from redis import Redis
from runtime.errors import DeliveryFailed, Recoverable, Rejected, SettingsError
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.kafka.delivery import DeliveryProducer, KafkaProducer
from runtime.kafka.positions import IN_REACH, counting, cut_off
from runtime.kafka.reader import FETCH_AHEAD, open_client
from runtime.kafka.records import OutputRecord
from runtime.kafka.tracing import Spans, arrivals, open_spans
from runtime.service.health import Readiness
from runtime.service.lease import Lease
from runtime.service.metrics import Metrics
from runtime.service.pseudonyms import MIN_KEY_BYTES, Pseudonyms
from runtime.service.secret_files import read_key
from runtime.service.settings import time_zone
from runtime.service.waiting import CONTRACT_READ
from runtime.stream.retry import retrying
from runtime.web.access_log import AccessLog, TopicAccesses
from runtime.web.client_tokens import Tokens
from runtime.web.door import Address, DoorShell
from runtime.web.people import People
from runtime.web.server import HTTP
from sealing import Erasures, PatientKeys, opening_decoders, opening_words, reading, sealed_again

from scorekeeper.adapters.ledger import LedgerAccount
from scorekeeper.adapters.letters import Letters
from scorekeeper.adapters.sink import Sink, Sinks
from scorekeeper.adapters.topics import Topics
from scorekeeper.domain.board import Board
from scorekeeper.domain.held import HeldRows
from scorekeeper.domain.measuring import Said
from scorekeeper.exposition import Exposition
from scorekeeper.fold import RECORD_TYPES, Fold, Read
from scorekeeper.http.app import make_app
from scorekeeper.http.door import Door
from scorekeeper.http.notes import NotesApi, nothing_waits
from scorekeeper.http.page import Page
from scorekeeper.http.questions import Questions
from scorekeeper.metrics import OWN
from scorekeeper.reader import HISTORY, LEASE, HoldsLease, Reader, until_held
from scorekeeper.settings import ScorekeeperSettings

_DELIVERY_S = 10.0


@dataclass(slots=True, kw_only=True)
class Shared(DoorShell[ScorekeeperSettings]):
    """What the page and the reader hold."""

    people: People
    board: Board
    exposition: Exposition
    keys: PatientKeys | None = None
    held: HeldRows = field(default_factory=HeldRows)
    spans: Spans | None = None

    def info(self) -> Mapping[str, Any]:
        """Whose days are counted, and whether all of the window is."""
        return {"timezone": self.settings.timezone, "whole": self.board.whole}


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
        settings.entry_minutes,
        settings.validator_rupees_per_hour,
        settings.machine_rupees_per_hour,
        settings.audit_f1_within,
        settings.audit_rate_least,
        settings.audit_rate_most,
    )
    return Shared(
        settings=settings,
        metrics=metrics,
        readiness=Readiness(CONTRACT_READ, LEASE, HISTORY, HTTP),
        people=People(settings.score_tokens_file, "RXTRACT_SCORE_TOKENS_FILE", metrics),
        board=Board(time_zone(settings.timezone), assumptions, settings.window_notes),
        exposition=Exposition(metrics.registry),
        keys=settings.patient_keys(),
        spans=open_spans(settings),
    )


@dataclass(frozen=True, slots=True)
class Codecs:
    """How records become bytes and back."""

    readers: Mapping[str, Read]
    measured: Serializer[QualityMeasured]


def codecs(settings: ScorekeeperSettings, registry: Registry, keys: PatientKeys | None = None) -> Codecs:
    """Make the codecs of all topics that are read or written. Entities are not opened: their words go to rest as they come.

    Raises:
        RegistryUnavailable: The registry is away.
        SchemaNotFound: Our schemas are not registered yet.
    """
    readers = {
        name: reading(
            Deserializer.for_topic(record, registry, settings.topic(name)),
            record,
            None if record is EntitiesExtracted else keys,
        )
        for name, record in RECORD_TYPES.items()
    }
    return Codecs(readers, Serializer.for_topic(QualityMeasured, registry, settings.topic(QUALITY_MEASURED)))


def topic_names(settings: ScorekeeperSettings) -> dict[str, str]:
    """Contract topic by full name: all that is read."""
    # What could not be told to a source was no fault of its note.
    dead = [dlq_of(topic.name) for topic in load_topics().values() if topic.dlq and topic.name != WEBHOOK_DELIVERIES]
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
    chosen = registry or ConfluentRegistry(settings.schema_registry_url)
    made = shared.until(lambda: codecs(settings, chosen, shared.keys), CONTRACT_READ)
    if made is None:
        return
    held = lease or _lease(settings)
    until_held(held, shared.stop, shared.liveness, shared.readiness, metrics=shared.metrics)
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
    sink = open_sinks(settings, shared.metrics, shared.held)
    errors = ConsumerErrors(shared.metrics, shared.readiness, settings.fault_limit_s)
    consumer = open_client({**FETCH_AHEAD, **settings.kafka_client_config()}, errors)
    fold = Fold(made.readers, names, shared.board, said, sink=sink, metrics=shared.metrics, saw=arrivals(shared.spans))
    return Reader(
        Topics(
            consumer,
            names,
            errors,
            counting(shared.metrics),
            on_halt=lambda place: shared.readiness.miss(IN_REACH, cut_off(place)),
        ),
        fold,
        retrying(fold, shared.stop, on_wait=shared.liveness.tick),
        sink,
        board=shared.board,
        said=said,
        publish=publisher(settings, made.measured),
        exposition=shared.exposition,
        lease=lease,
        lease_s=settings.lease_s,
        metrics=shared.metrics,
        liveness=shared.liveness,
        readiness=shared.readiness,
        stop=shared.stop,
        erased=tuple if shared.keys is None else Erasures(shared.keys.store).due,
    )


def open_sinks(settings: ScorekeeperSettings, metrics: Metrics, held: HeldRows) -> Sinks:
    """Open the folder of records, and within it that of codes.

    Raises:
        SettingsError: Another process has the folder, or a manifest is damaged.
    """
    folder = settings.records_dir
    try:
        records, codes = RecordsAtRest(folder), RecordsAtRest(folder / CODES, schema=CODES_SCHEMA)
    except (FolderInUse, DamagedManifest) as error:
        raise SettingsError(f"RXTRACT_RECORDS_DIR cannot be used: {error}") from None

    def sink(rows: RecordsAtRest, place: Path, told: Metrics, held: HeldRows | None = None) -> Sink:
        return Sink(
            rows,
            place,
            told,
            every_s=settings.sink_every_s,
            most_rows=settings.sink_rows,
            merge_every_s=settings.merge_every_s,
            held=held,
        )

    # What the metrics of files and rows say is said of the entities alone.
    own = Metrics(OWN)
    return Sinks(sink(records, folder, metrics, held), sink(codes, folder / CODES, own), settings.topic(ENTITIES_CODED))


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
    publish = TopicAccesses(settings, registry, settings.access_log_timeout_s, shared.metrics, producer=producer)
    return AccessLog(settings.service, Pseudonyms(key), publish)


def application(shared: Shared) -> FastAPI:
    """The control page and its API."""
    settings = shared.settings
    questions = Questions(settings.records_dir, settings.least_patients, opens=opening_words(shared.keys))
    account = LedgerAccount(settings.ledger_url) if settings.ledger_url else None
    page = Page(shared.board, questions, settings.least_patients, settings.score_desk_url, account=account)
    door = Door(shared.people, access_log(shared))
    return make_app(
        page, door, shared.board, shared.stop, notes=notes_api(shared), letters=dead_letters(shared) if door else None
    )


def dead_letters(shared: Shared) -> Letters:
    """What leads look at, mend and send again."""
    settings, registry = shared.settings, ConfluentRegistry(shared.settings.schema_registry_url)
    errors = ConsumerErrors(shared.metrics, shared.readiness, settings.fault_limit_s)
    decoders = opening_decoders(registry, settings.topic_prefix, shared.keys)
    return Letters(settings, registry, decoders, errors, seal=sealed_again(shared.keys))


def notes_api(shared: Shared) -> NotesApi | None:
    """Answers clients what became of their notes; None where no client is known."""
    path = shared.settings.score_client_tokens_file
    if path is None:
        return None
    tokens = Tokens({}, path, shared.metrics, variable="RXTRACT_SCORE_CLIENT_TOKENS_FILE")
    url = shared.settings.ledger_url
    waiting = LedgerAccount(url).waiting if url else nothing_waits
    return NotesApi(
        shared.settings.records_dir,
        shared.board,
        tokens,
        held=shared.held,
        waiting=waiting,
        opens=opening_words(shared.keys),
    )


def serve(settings: ScorekeeperSettings) -> None:
    """Serve the page until SIGTERM, then finish what was begun.

    Raises:
        SettingsError: A setting, the folder or a port is not usable.
        Exception: Whatever stopped the reader.
    """
    shared = share(settings)
    app = application(shared)  # first: a setting that is wrong is told before anything runs
    shared.serve(
        Address(settings.score_host, settings.score_port, "RXTRACT_SCORE_PORT", settings.score_port_file, 128, 200),
        ("reader", lambda: read(shared)),
        lambda: app,
    )
