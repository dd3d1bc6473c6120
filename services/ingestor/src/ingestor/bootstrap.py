"""The only place that constructs clients. Every outside thing is a parameter, with the real one as default."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka.admin import AdminClient
from contracts.records import NoteAccepted, NoteSubmitted
from contracts.registry import ConfluentRegistry, Registry, RegistryUnavailable, SchemaNotFound
from contracts.rules import NoteLimits
from contracts.topics import NOTES_ACCEPTED, NOTES_SUBMITTED, subject_of
from contracts.wire import Deserializer, Serializer
from fastapi import FastAPI
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.tracing import Spans, open_spans
from runtime.service.clock import now_ms
from runtime.service.health import Readiness
from runtime.service.logs import get_logger
from runtime.service.metrics import Metrics
from runtime.service.pseudonyms import MIN_KEY_BYTES, Pseudonyms
from runtime.service.run import PROCESS
from runtime.service.secret_files import read_key
from runtime.stream.loop import ConsumerLoop, LoopLimits
from runtime.stream.retry import Backoff, wait
from runtime.stream.service_loop import service_loop
from runtime.stream.state import ASSIGNED
from runtime.web.client_door import Allowance
from runtime.web.client_tokens import Tokens, parse_tokens
from runtime.web.door import Address, DoorShell
from runtime.web.server import HTTP
from sealing import PatientKeys, preparing, writing
from sealing.letters import letter_sealer

from ingestor.adapters.log import LEADERS_MS, AcceptedLog, KafkaExtents, NoLog, RedisMemory, WatchedLog
from ingestor.adapters.results import FirstResults, NoResults, RedisResults, connect
from ingestor.domain.acceptance import Acceptance
from ingestor.handler import STAGE, SubmittedNotes
from ingestor.http.app import NotesApi, make_app
from ingestor.http.intake import Intake, Queue
from ingestor.kafka_door import LateWriter, keep_open
from ingestor.metrics import METRICS
from ingestor.settings import IngestorSettings

GROUP = "rxtract-ingestor"
REGISTRY = "registry"
FETCH_BYTES = 131_072
"""Of one partition at once, as they are on the wire: what others send may be a thousand times as large once it is decompressed."""
HTTP_DOOR = frozenset({REGISTRY, HTTP, PROCESS})
"""What the HTTP door needs, whatever becomes of the Kafka door: /ready/http."""


@dataclass(slots=True, kw_only=True)
class Shared(DoorShell[IngestorSettings]):
    """What both doors hold."""

    acceptance: Acceptance
    tokens: Tokens
    keys: PatientKeys | None = None
    spans: Spans | None = None

    def info(self) -> Mapping[str, Any]:
        """Whose pseudonyms we make."""
        return {"pseudonym_key_id": self.acceptance.pseudonyms.key_id, "sealing": self.settings.sealing}

    def parts(self) -> Mapping[str, frozenset[str]]:
        """Who only sends by HTTP asks /ready/http."""
        return {HTTP: HTTP_DOOR}


def share(settings: IngestorSettings) -> Shared:
    """Make what both doors hold.

    Raises:
        SettingsError: The key, the key store or the tokens are not usable, or tracing is not installed.
    """
    acceptance = Acceptance(
        NoteLimits(max_note_chars=settings.max_note_chars, max_note_tokens=settings.max_note_tokens),
        Pseudonyms(read_key(settings.pseudonym_key_file, "RXTRACT_PSEUDONYM_KEY_FILE", MIN_KEY_BYTES)),
    )
    metrics = Metrics(METRICS)
    tokens = Tokens(parse_tokens(settings.http_tokens, "RXTRACT_HTTP_TOKENS"), settings.http_tokens_file, metrics)
    metrics.build_all()
    return Shared(
        settings=settings,
        metrics=metrics,
        readiness=Readiness(REGISTRY, ASSIGNED, HTTP),
        acceptance=acceptance,
        tokens=tokens,
        keys=settings.patient_keys(),
        spans=open_spans(settings, begins=True),
    )


def make_registry(settings: IngestorSettings) -> Registry:
    """The schema registry's client."""
    return ConfluentRegistry(settings.schema_registry_url)


def accepted_writer(shared: Shared, registry: Registry) -> Callable[[NoteAccepted], bytes]:
    """The writer of accepted notes, which seals them where that is on; waits until the registry is there and knows the schema.

    Raises:
        Stopped: Asked to stop while waiting.
        OldNamespace: The cluster is of the contract before this one.
    """
    topic = shared.settings.topic(NOTES_ACCEPTED)
    subject = subject_of(topic)
    for pause_s in Backoff().pauses_s():
        try:
            writer = Serializer.for_topic(NoteAccepted, registry, topic)
        except (RegistryUnavailable, SchemaNotFound) as error:
            hint = "run `rxtract schemas apply`" if isinstance(error, SchemaNotFound) else "waiting for it"
            get_logger(__name__).warning("no schema to write with", subject=subject, message=str(error), hint=hint)
            shared.readiness.miss(REGISTRY, f"{subject}: {hint}")
            wait(shared.stop, pause_s, shared.liveness.tick)
            continue
        shared.readiness.meet(REGISTRY)
        return writing(writer, shared.keys)
    raise AssertionError("pauses never end")


def consumer_errors(shared: Shared) -> ConsumerErrors:
    """What the Kafka door's consumers are told in place of records."""
    return ConsumerErrors(shared.metrics, shared.readiness, shared.settings.fault_limit_s)


def kafka_door(
    shared: Shared,
    registry: Registry,
    write: Callable[[NoteAccepted], bytes],
    errors: ConsumerErrors | None = None,
) -> ConsumerLoop:
    """The loop over submitted notes."""
    settings = shared.settings
    source, target = settings.topic(NOTES_SUBMITTED), settings.topic(NOTES_ACCEPTED)
    read = Deserializer.for_topic(NoteSubmitted, registry, source)
    prepare = preparing(write)
    handler = SubmittedNotes(
        read,
        write,
        shared.acceptance,
        target,
        metrics=shared.metrics,
        prepare=prepare,
        seal_letter=letter_sealer(shared.keys),
    )
    return service_loop(
        shared,
        GROUP,
        [NOTES_SUBMITTED],
        handler,
        stage=STAGE,
        limits=LoopLimits(batch_records=settings.batch_records),
        spans=shared.spans,
        errors=errors,
        config={"fetch.message.max.bytes": FETCH_BYTES},
    )


def make_first_results(shared: Shared) -> FirstResults:
    """Where first results are remembered: Redis, or nowhere when none is configured."""
    settings = shared.settings
    if settings.redis_url is None:
        return NoResults()
    redis = connect(settings.redis_url)
    return RedisResults(redis, settings.topic_prefix, settings.deduplication_ttl_s, shared.metrics)


def make_log(settings: IngestorSettings) -> AcceptedLog:
    """Tells whether first results are still in the log; nothing is asked where none are remembered."""
    if settings.redis_url is None:
        return NoLog()
    topic = settings.topic(NOTES_ACCEPTED)
    admin = {**settings.kafka_client_config(), "metadata.max.age.ms": LEADERS_MS}
    memory = RedisMemory(connect(settings.redis_url), settings.topic_prefix, NOTES_ACCEPTED)
    return WatchedLog(KafkaExtents(AdminClient(admin), topic), memory)


def http_producer_config(settings: IngestorSettings) -> dict[str, Any]:
    """As the Kafka door's, but what is not acknowledged in time is given up: its client was told so."""
    timeout_ms = int(settings.http_delivery_timeout_s * 1000)
    return settings.kafka_client_config() | {"delivery.timeout.ms": timeout_ms, "linger.ms": 2}


def http_door(
    shared: Shared,
    write: Callable[[NoteAccepted], bytes],
    *,
    producer: DeliveryProducer | None = None,
    first_results: FirstResults | None = None,
    log: AcceptedLog | None = None,
    clock: Callable[[], int] = now_ms,
) -> FastAPI:
    """The HTTP application."""
    settings = shared.settings
    intake = Intake(
        shared.acceptance,
        write,
        producer or DeliveryProducer(http_producer_config(settings)),
        settings.topic(NOTES_ACCEPTED),
        submitted_topic=settings.topic(NOTES_SUBMITTED),
        first_results=first_results or make_first_results(shared),
        log=log or make_log(settings),
        queue=Queue(settings.http_queue_notes),
        metrics=shared.metrics,
        clock=clock,
        # A little more than the client library's own limit, so that its word is heard first.
        delivery_timeout_s=settings.http_delivery_timeout_s + 1,
        spans=shared.spans,
        seal_letter=letter_sealer(shared.keys),
        prepare=None if shared.keys is None else shared.keys.prepare,
    )
    api = NotesApi(
        intake,
        shared.tokens,
        shared.metrics,
        allowance=Allowance.of(settings, shared.metrics),
        max_body_bytes=settings.http_max_body_bytes,
        max_notes=settings.http_max_notes,
        retry_after_s=settings.http_retry_after_s,
        on_broken=shared.downfall,
    )
    return make_app(api, settings.http_max_notes)


def serve(settings: IngestorSettings) -> None:
    """Serve both doors until SIGTERM, then finish what was begun.

    Raises:
        SettingsError: The key, the tokens or a port is not usable.
        ProducerBroken: The HTTP door can never write to Kafka again.
    """
    shared, write = share(settings), LateWriter()

    def kafka() -> None:
        registry = make_registry(settings)
        writer = accepted_writer(shared, registry)
        write.set(writer)
        errors = consumer_errors(shared)
        keep_open(shared, lambda: kafka_door(shared, registry, writer, errors=errors), errors)

    shared.serve(
        Address(settings.http_host, settings.http_port, "RXTRACT_HTTP_PORT", settings.http_port_file, 1024, 2_000),
        ("kafka-door", kafka),
        lambda: http_door(shared, write),
        h11_max_incomplete_event_size=65_536,
    )
