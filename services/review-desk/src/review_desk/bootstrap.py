"""The only place that constructs clients. Every outside thing is a parameter, with the real one as default."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer
from contracts.identity import note_key
from contracts.records import AnnotationValidated, DriftDetected, DriftWords, ModelEvent, ReviewRequested
from contracts.registry import ConfluentRegistry, Registry, RegistryUnavailable, SchemaNotFound
from contracts.topics import (
    ANNOTATIONS_VALIDATED,
    DRIFT_DETECTED,
    DRIFT_WORDS,
    MODEL_EVENTS,
    REVIEW_REQUESTED,
)
from contracts.wire import Deserializer, Serializer
from fastapi import FastAPI
from runtime.access_log import AccessLog, TopicAccesses
from runtime.consumer_errors import ConsumerErrors
from runtime.delivery import DeliveryProducer, KafkaProducer
from runtime.errors import DeliveryFailed, Recoverable, Rejected, SettingsError
from runtime.health import AllAlive, HealthServer, Liveness, Readiness
from runtime.http_server import HTTP, Downfall
from runtime.metrics import Metrics
from runtime.people import People
from runtime.pseudonyms import MIN_KEY_BYTES, Pseudonyms
from runtime.records import OutputRecord
from runtime.secret_files import is_token_hash, read_key
from runtime.tracing import Spans, arrivals, open_spans

from review_desk.adapters.pseudonyms import derive
from review_desk.adapters.publisher import TopicPublisher
from review_desk.adapters.sessions import Sessions
from review_desk.adapters.store import Store, connect
from review_desk.adapters.texts import READER_CONFIG, Requests, TopicRequests
from review_desk.desk import Desk, Publisher
from review_desk.follower import FOLLOWER_CONFIG, QUEUE, Follower
from review_desk.handler import TOPICS, DeadRequests, Projection
from review_desk.http.access import Access, Proxy
from review_desk.http.app import DeskApi, DeskPage, make_app
from review_desk.metrics import METRICS
from review_desk.page.pages import Pages
from review_desk.settings import ReviewDeskSettings

_DEAD_LETTER_S = 10.0
_RECORDS: Mapping[str, Any] = {
    REVIEW_REQUESTED: ReviewRequested,
    ANNOTATIONS_VALIDATED: AnnotationValidated,
    DRIFT_DETECTED: DriftDetected,
    DRIFT_WORDS: DriftWords,
    MODEL_EVENTS: ModelEvent,
}


@dataclass(frozen=True, slots=True)
class Shared:
    """What the page and the follower hold, and what the outside sees of us."""

    settings: ReviewDeskSettings
    key: bytes
    pseudonyms: Pseudonyms
    people: People
    store: Store
    metrics: Metrics
    liveness: Liveness
    http_liveness: Liveness
    readiness: Readiness
    stop: threading.Event
    errors: ConsumerErrors
    spans: Spans | None = None
    falls: list[Downfall] = field(default_factory=list)

    @property
    def downfall(self) -> Downfall:
        """What only a fresh process mends."""
        if not self.falls:
            self.falls.append(Downfall(self.stop, self.readiness))
        return self.falls[0]


def share(settings: ReviewDeskSettings, store: Store | None = None) -> Shared:
    """Make what both hold.

    Raises:
        SettingsError: The key, the tokens, the proxy or Redis' address is not usable.
    """
    if store is None and settings.redis_url is None:
        raise SettingsError("RXTRACT_REDIS_URL is not set: the queue needs Redis, for example redis://127.0.0.1:6379/0")
    metrics = Metrics(METRICS)
    key, people = (
        read_key(settings.desk_key_file, "RXTRACT_DESK_KEY_FILE"),
        People(settings.desk_tokens_file, "RXTRACT_DESK_TOKENS_FILE", metrics),
    )
    pseudonyms = Pseudonyms(read_key(settings.pseudonym_key_file, "RXTRACT_PSEUDONYM_KEY_FILE", MIN_KEY_BYTES))
    _check_proxy(settings)
    if not people and not settings.desk_proxy_user_header:
        raise SettingsError(
            "RXTRACT_DESK_TOKENS_FILE is not set or empty: nobody could log in; "
            "make a line with `python -m review_desk.new_token NAME validator`"
        )
    metrics.build_all()
    kept = store or Store(connect(str(settings.redis_url)), settings.topic_prefix)
    readiness = Readiness(QUEUE, HTTP)
    return Shared(
        settings,
        key,
        pseudonyms,
        people,
        kept,
        metrics,
        Liveness(),
        Liveness(),
        readiness,
        threading.Event(),
        ConsumerErrors(metrics, readiness, settings.fault_limit_s),
        open_spans(settings),
    )


def _check_proxy(settings: ReviewDeskSettings) -> None:
    """Without a secret no word of the proxy is believed: whoever comes through it would be asked for a token."""
    header, digest = settings.desk_proxy_user_header, settings.desk_proxy_secret_hash.lower()
    if digest and not header:
        raise SettingsError("RXTRACT_DESK_PROXY_USER_HEADER is not set, but the proxy's secret is: name the header too")
    if header and not is_token_hash(digest):
        raise SettingsError(
            "RXTRACT_DESK_PROXY_SECRET_HASH is not 64 hexadecimal digits, so nobody could enter through the proxy: "
            "make it with `printf %s SECRET | sha256sum`"
        )


def health_server(shared: Shared) -> HealthServer:
    """The server of /live, /ready, /metrics and /info."""
    settings = shared.settings
    return HealthServer.of(
        settings,
        liveness=AllAlive(shared.liveness, shared.http_liveness),
        readiness=shared.readiness,
        metrics=shared.metrics,
        info=lambda: {"service": settings.service, "people": len(shared.people)},
    )


def readers(settings: ReviewDeskSettings, registry: Registry) -> dict[str, Callable[[bytes | None], Any]]:
    """From bytes to a record, by contract topic."""
    return {name: Deserializer.for_topic(record, registry, settings.topic(name)) for name, record in _RECORDS.items()}


def make_registry(settings: ReviewDeskSettings) -> Registry:
    """The schema registry's client."""
    return ConfluentRegistry(settings.schema_registry_url)


def follower(
    shared: Shared, registry: Registry, consumer: Consumer | None = None, producer: KafkaProducer | None = None
) -> Follower:
    """Builds the queue from the topics."""
    settings = shared.settings
    names = {settings.topic(name): name for name in TOPICS}
    project = Projection(
        readers(settings, registry),
        names,
        shared.store,
        derive(shared.key, "double"),
        settings.desk_double_share,
        DeadRequests(shared.store, _sender(settings, producer), shared.metrics),
        shared.metrics,
        arrivals(shared.spans),
    )
    heard = {"error_cb": shared.errors.heard}
    client = consumer or Consumer({**settings.kafka_client_config(), **FOLLOWER_CONFIG, **heard})
    return Follower(
        client,
        list(names),
        project,
        shared.store,
        shared.stop,
        shared.liveness,
        shared.readiness,
        shared.metrics,
        history=frozenset({settings.topic(ANNOTATIONS_VALIDATED)}),
        errors=shared.errors,
    )


def _sender(settings: ReviewDeskSettings, producer: KafkaProducer | None) -> Callable[[Sequence[OutputRecord]], None]:
    delivery = DeliveryProducer(settings.kafka_client_config(), producer)

    def send(records: Sequence[OutputRecord]) -> None:
        try:
            delivery.send(records).wait(_DEAD_LETTER_S)
        except (DeliveryFailed, Rejected) as error:
            raise Recoverable(f"a dead letter was not acknowledged ({type(error).__name__})") from None

    return send


def publisher(shared: Shared, registry: Registry, producer: KafkaProducer | None = None) -> Publisher:
    """Sends annotations, and waits for the broker's word."""
    settings = shared.settings
    topic = settings.topic(ANNOTATIONS_VALIDATED)
    config = {"linger.ms": 0, "delivery.timeout.ms": int(settings.desk_delivery_timeout_s * 1000)}
    delivery = DeliveryProducer(settings.kafka_client_config() | config, producer)
    writers: list[Serializer[AnnotationValidated]] = []

    def send(event: AnnotationValidated) -> None:
        if not writers:
            writers.append(_writer(registry, topic))
        record = OutputRecord(topic, note_key(event.source, event.note_id).encode(), writers[0](event))
        delivery.send([record]).wait(settings.desk_delivery_timeout_s + 1)

    return TopicPublisher(send, on_broken=shared.downfall)


def _writer(registry: Registry, topic: str) -> Serializer[AnnotationValidated]:
    try:
        return Serializer.for_topic(AnnotationValidated, registry, topic)
    except (RegistryUnavailable, SchemaNotFound):
        raise Recoverable("the schema registry does not know annotations yet: run `rxtract schemas apply`") from None


def requests(shared: Shared, registry: Registry) -> Requests:
    """Finds notes by their place on the topic."""
    settings = shared.settings
    consumer = Consumer({**settings.kafka_client_config(), **READER_CONFIG, "error_cb": shared.errors.heard})
    decode = readers(settings, registry)[REVIEW_REQUESTED]
    return TopicRequests(settings.topic(REVIEW_REQUESTED), decode, consumer, shared.errors)


def access_log(shared: Shared, registry: Registry, producer: KafkaProducer | None = None) -> AccessLog:
    """Logs which notes are shown to whom."""
    settings = shared.settings
    publish = TopicAccesses(settings, registry, settings.access_log_timeout_s, shared.metrics, producer)
    return AccessLog(settings.service, shared.pseudonyms, publish)


def application(shared: Shared, requests: Requests, publish: Publisher, log: AccessLog) -> FastAPI:
    """The page and its API."""
    settings = shared.settings
    desk = Desk(
        shared.store,
        requests,
        publish,
        shared.metrics,
        lease_s=settings.desk_lease_s,
        audit_every=settings.desk_audit_every,
    )
    proxy = Proxy(
        settings.desk_proxy_user_header,
        settings.desk_proxy_groups_header,
        settings.desk_proxy_lead_group,
        settings.desk_proxy_secret_hash,
    )
    sessions = Sessions(derive(shared.key, "session"), settings.desk_session_s)
    access = Access(shared.people, sessions, proxy, derive(shared.key, "annotator"), derive(shared.key, "note"), log)
    api = DeskApi(
        desk,
        access,
        shared.metrics,
        lease_s=settings.desk_lease_s,
        session_s=settings.desk_session_s,
        secure_cookie=settings.desk_secure_cookie or settings.http_tls_certificate_file is not None,
    )
    return make_app(api, DeskPage(desk, access, Pages()))
