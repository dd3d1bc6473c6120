"""The only place that constructs clients. Every outside thing is a parameter, with the real one as default."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import Consumer
from contracts.identity import note_key
from contracts.record import Record
from contracts.records import (
    AnnotationValidated,
    AnnotatorJudged,
    DeskChanged,
    DriftDetected,
    DriftWords,
    ModelEvent,
    ReviewRequested,
)
from contracts.registry import ConfluentRegistry, Registry, RegistryUnavailable, SchemaNotFound
from contracts.topics import (
    ANNOTATIONS_VALIDATED,
    ANNOTATORS_JUDGED,
    DESK_CHANGED,
    DRIFT_DETECTED,
    DRIFT_WORDS,
    MODEL_EVENTS,
    REVIEW_REQUESTED,
)
from contracts.wire import Deserializer, Serializer
from fastapi import FastAPI
from runtime.errors import DeliveryFailed, Recoverable, Rejected, SettingsError
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.kafka.delivery import DeliveryProducer, KafkaProducer
from runtime.kafka.history import History
from runtime.kafka.reader import open_client
from runtime.kafka.records import OutputRecord
from runtime.kafka.tracing import Spans, arrivals, open_spans
from runtime.service.health import Readiness
from runtime.service.metrics import Metrics
from runtime.service.pseudonyms import MIN_KEY_BYTES, Pseudonyms
from runtime.service.secret_files import is_token_hash, read_key
from runtime.web.access_log import AccessLog, TopicAccesses
from runtime.web.door import Address, DoorShell
from runtime.web.people import People
from runtime.web.server import HTTP
from sealing import PatientKeys, reading, writing

from review_desk.adapters.code_changes import CodeChanges
from review_desk.adapters.drafts import Drafts
from review_desk.adapters.guidelines import Guidelines
from review_desk.adapters.people_store import PeopleStore
from review_desk.adapters.pseudonyms import derive
from review_desk.adapters.publisher import TopicPublisher
from review_desk.adapters.reservations import Reservations
from review_desk.adapters.sessions import Sessions
from review_desk.adapters.store import Store, connect
from review_desk.adapters.texts import ONE_AT_A_TIME, Requests, TopicRecords, TopicRequests
from review_desk.adapters.token_lines import TokenLines
from review_desk.beside import Beside
from review_desk.checks import HiddenChecks
from review_desk.coding import CodeBook, CodeReview
from review_desk.desk import Desk, Publisher
from review_desk.exporting import Exporting
from review_desk.finding import Finding
from review_desk.follower import FETCH_WAIT_MS, QUEUE, Follower
from review_desk.http.access import Access, Proxy
from review_desk.http.app import DeskApi, DeskPage, make_app
from review_desk.http.codes_api import CodesApi
from review_desk.http.hands_api import HandsApi
from review_desk.http.lead_api import LeadApi
from review_desk.http.training_api import TrainingApi
from review_desk.http.trust import TrustApi, add_trust
from review_desk.leading import Leading
from review_desk.metrics import METRICS
from review_desk.page.pages import Pages
from review_desk.projection import TOPICS, DeadRequests, Projection
from review_desk.settings import ReviewDeskSettings
from review_desk.watching import Watching

R = TypeVar("R", bound=Record)
KEEP_CHECK_S = 2 * 24 * 3600
"""Longer than a draft: whoever goes on the next day finds his note."""
_DEAD_LETTER_S = 10.0
_CLAIM_S = 60
_FIRST_BLOCK = 5_000
_COMMENT_BYTES = 2 * 1024 * 1024
_RECORDS: Mapping[str, Any] = {
    REVIEW_REQUESTED: ReviewRequested,
    ANNOTATIONS_VALIDATED: AnnotationValidated,
    ANNOTATORS_JUDGED: AnnotatorJudged,
    DRIFT_DETECTED: DriftDetected,
    DRIFT_WORDS: DriftWords,
    MODEL_EVENTS: ModelEvent,
    DESK_CHANGED: DeskChanged,
}


@dataclass(slots=True, kw_only=True)
class Shared(DoorShell[ReviewDeskSettings]):
    """What the page and the follower hold."""

    key: bytes
    pseudonyms: Pseudonyms
    people: People
    store: Store
    people_store: PeopleStore
    errors: ConsumerErrors
    keys: PatientKeys | None = None
    spans: Spans | None = None

    def info(self) -> Mapping[str, Any]:
        """How many may log in."""
        return {"people": len(self.people)}


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
    redis = connect(str(settings.redis_url))
    kept = store or Store(redis, settings.topic_prefix)
    readiness = Readiness(QUEUE, HTTP)
    return Shared(
        settings=settings,
        metrics=metrics,
        readiness=readiness,
        key=key,
        pseudonyms=pseudonyms,
        people=people,
        store=kept,
        people_store=PeopleStore(redis, settings.topic_prefix),
        errors=ConsumerErrors(metrics, readiness, settings.fault_limit_s),
        keys=settings.patient_keys(),
        spans=open_spans(settings),
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


def readers(
    settings: ReviewDeskSettings, registry: Registry, keys: PatientKeys | None = None
) -> dict[str, Callable[[bytes | None], Any]]:
    """From bytes to a record, by contract topic. What was erased comes without its text: the queue lets it go."""
    return {
        name: reading(Deserializer.for_topic(record, registry, settings.topic(name)), record, keys)
        for name, record in _RECORDS.items()
    }


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
        readers(settings, registry, shared.keys),
        names,
        shared.store,
        derive(shared.key, "double"),
        double_share=settings.desk_double_share,
        dead=DeadRequests(shared.store, _sender(settings, producer), shared.metrics),
        metrics=shared.metrics,
        watching=watching(shared, registry, producer),
        saw=arrivals(shared.spans),
        beside=Beside(shared.store, derive(shared.key, "names")),
    )
    config = {**settings.kafka_client_config(), "fetch.wait.max.ms": FETCH_WAIT_MS}
    client = consumer or open_client(config, shared.errors)
    return Follower(
        client,
        list(names),
        project,
        shared.store,
        stop=shared.stop,
        liveness=shared.liveness,
        readiness=shared.readiness,
        metrics=shared.metrics,
        history=frozenset({settings.topic(ANNOTATIONS_VALIDATED)}),
        errors=shared.errors,
    )


def watching(shared: Shared, registry: Registry, producer: KafkaProducer | None = None) -> Watching:
    """Judges people; the follower's and the page's are two, since a producer belongs to one thread."""
    settings = shared.settings
    topic = settings.topic(ANNOTATORS_JUDGED)
    send, lock = _sender(settings, producer), threading.Lock()

    def say(event: AnnotatorJudged) -> None:
        try:
            write = Serializer.for_topic(AnnotatorJudged, registry, topic)
        except (RegistryUnavailable, SchemaNotFound):
            raise Recoverable("the schema registry does not know judgements: run `rxtract schemas apply`") from None
        with lock:
            send([OutputRecord(topic, event.annotator.encode(), write(event))])

    return Watching(shared.people_store, shared.store, say, watches=settings.desk_watch)


def _sender(settings: ReviewDeskSettings, producer: KafkaProducer | None) -> Callable[[Sequence[OutputRecord]], None]:
    delivery = DeliveryProducer(settings.kafka_client_config(), producer)

    def send(records: Sequence[OutputRecord]) -> None:
        try:
            delivery.send(records).wait(_DEAD_LETTER_S)
        except (DeliveryFailed, Rejected) as error:
            raise Recoverable(f"a record was not acknowledged ({type(error).__name__})") from None

    return send


def publisher(shared: Shared, registry: Registry, producer: KafkaProducer | None = None) -> Publisher:
    """Sends annotations, and waits for the broker's word."""
    return _publisher(shared, registry, AnnotationValidated, ANNOTATIONS_VALIDATED, _key_of_note, producer, shared.keys)


def change_publisher(
    shared: Shared, registry: Registry, producer: KafkaProducer | None = None
) -> Callable[[DeskChanged], None]:
    """Sends what leads change, and waits for the broker's word."""
    return _publisher(shared, registry, DeskChanged, DESK_CHANGED, lambda event: event.subject, producer)


def _publisher(
    shared: Shared,
    registry: Registry,
    record: type[R],
    name: str,
    key_of: Callable[[R], str],
    producer: KafkaProducer | None,
    keys: PatientKeys | None = None,
) -> TopicPublisher[R]:
    settings = shared.settings
    topic = settings.topic(name)
    config = {"linger.ms": 0, "delivery.timeout.ms": int(settings.desk_delivery_timeout_s * 1000)}
    delivery = DeliveryProducer(settings.kafka_client_config() | config, producer)
    writers: list[Callable[[R], bytes]] = []

    def send(event: R) -> None:
        if not writers:
            writers.append(writing(_writer(registry, record, topic), keys))
        delivery.send([OutputRecord(topic, key_of(event).encode(), writers[0](event))]).wait(
            settings.desk_delivery_timeout_s + 1
        )

    return TopicPublisher(send, on_broken=shared.downfall)


def _key_of_note(event: AnnotationValidated) -> str:
    return note_key(event.source, event.note_id)


def _writer(registry: Registry, record: type[R], topic: str) -> Serializer[R]:
    try:
        return Serializer.for_topic(record, registry, topic)
    except (RegistryUnavailable, SchemaNotFound):
        raise Recoverable(
            "the schema registry does not know what the desk writes yet: run `rxtract schemas apply`"
        ) from None


def requests(shared: Shared, registry: Registry) -> Requests:
    """Finds notes by their place on the topic."""
    settings = shared.settings
    consumer = open_client({**settings.kafka_client_config(), **ONE_AT_A_TIME}, shared.errors)
    decode = readers(settings, registry, shared.keys)[REVIEW_REQUESTED]
    return TopicRequests(settings.topic(REVIEW_REQUESTED), decode, consumer, shared.errors)


def access_log(shared: Shared, registry: Registry, producer: KafkaProducer | None = None) -> AccessLog:
    """Logs which notes are shown to whom."""
    settings = shared.settings
    publish = TopicAccesses(settings, registry, settings.access_log_timeout_s, shared.metrics, producer=producer)
    return AccessLog(settings.service, shared.pseudonyms, publish)


Rooms = Callable[[Access], Sequence[Callable[[FastAPI], None]]]
"""What stands beside the queue, each with its routes, for whoever `Access` lets in."""


def rooms(shared: Shared, registry: Registry) -> Rooms:
    """What helps validators, and what leads do."""
    settings, store = shared.settings, shared.store
    history = History(settings.kafka_client_config(), shared.errors)
    decode = readers(settings, registry, shared.keys)
    names_key = derive(shared.key, "names")
    annotations = settings.topic(ANNOTATIONS_VALIDATED)
    reserved = Reservations(store).all

    def claim(version: str) -> bool:
        return bool(store.redis.set(store.key("writes", version), "1", nx=True, ex=_CLAIM_S))

    finding = Finding(
        store,
        lambda: history.backwards(settings.topic(REVIEW_REQUESTED), _FIRST_BLOCK),
        decode[REVIEW_REQUESTED],
        reserved,
    )
    apply = Beside(store, names_key).change
    publish = change_publisher(shared, registry)
    leading = Leading(Guidelines(store), publish, apply, claim)
    codes = code_review(shared, publish, apply)
    exporting = Exporting(lambda: history.decoded(annotations, decode[ANNOTATIONS_VALIDATED]), store.trust)
    consumer = open_client({**settings.kafka_client_config(), **ONE_AT_A_TIME}, shared.errors)
    comments = TopicRecords[AnnotationValidated](
        annotations, decode[ANNOTATIONS_VALIDATED], consumer, shared.errors, keep_bytes=_COMMENT_BYTES
    )

    def make(access: Access) -> Sequence[Callable[[FastAPI], None]]:
        tokens = TokenLines(settings.desk_tokens_file)
        lead = LeadApi(store, access, leading, tokens, exporting, annotation=comments.read)
        hands = HandsApi(store, access, finding, names_key)
        training = TrainingApi(store, access)
        return hands.add_routes, lead.add_routes, training.add_routes, CodesApi(access, codes).add_routes

    return make


def code_review(
    shared: Shared, publish: Callable[[DeskChanged], None], apply: Callable[[DeskChanged], None]
) -> CodeReview | None:
    """What the desk knows of codes; None where it has no tables.

    Raises:
        SettingsError: The tables cannot be used.
    """
    folder = shared.settings.terminology_dir
    if folder is None:
        return None
    return CodeReview(CodeBook(folder), CodeChanges(shared.store), publish, apply, is_sealed=shared.keys is not None)


def application(
    shared: Shared,
    requests: Requests,
    publish: Publisher,
    log: AccessLog,
    watching: Watching,
    beside: Rooms = lambda _: (),
) -> FastAPI:
    """The page and its API."""
    settings = shared.settings
    checks = HiddenChecks(shared.people_store, shared.store, settings.desk_check_share, keep_s=KEEP_CHECK_S)
    desk = Desk(
        shared.store,
        requests,
        publish,
        shared.metrics,
        Drafts(shared.store, requests, shared.keys),
        lease_s=settings.desk_lease_s,
        audit_every=settings.desk_audit_every,
        guideline=Guidelines(shared.store).version,
        reserved=Reservations(shared.store).all,
        checks=checks,
    )
    proxy = Proxy(
        settings.desk_proxy_user_header,
        settings.desk_proxy_groups_header,
        settings.desk_proxy_lead_group,
        settings.desk_proxy_secret_hash,
    )
    sessions = Sessions(derive(shared.key, "session"), settings.desk_session_s)
    access = Access(
        shared.people, sessions, proxy, derive(shared.key, "annotator"), note_key=derive(shared.key, "note"), log=log
    )
    api = DeskApi(
        desk,
        access,
        shared.metrics,
        lease_s=settings.desk_lease_s,
        session_s=settings.desk_session_s,
        secure_cookie=settings.desk_secure_cookie or settings.http_tls_certificate_file is not None,
    )
    app = make_app(api, DeskPage(desk, access, Pages()), beside(access))
    add_trust(app, TrustApi(watching, access))
    return app


def serve(settings: ReviewDeskSettings) -> None:
    """Serve the page until SIGTERM, then finish what was begun.

    Raises:
        SettingsError: The key, the tokens or a port is not usable.
        ProducerBroken: Nothing can be written to Kafka any more.
        Exception: Whatever stopped the follower.
    """
    shared, registry = share(settings), make_registry(settings)

    def app() -> FastAPI:
        log = access_log(shared, registry)
        return application(
            shared,
            requests(shared, registry),
            publisher(shared, registry),
            log,
            watching(shared, registry),
            rooms(shared, registry),
        )

    shared.serve(
        Address(settings.desk_host, settings.desk_port, "RXTRACT_DESK_PORT", settings.desk_port_file, 256, 500),
        ("follower", lambda: follower(shared, registry).run()),
        app,
    )
