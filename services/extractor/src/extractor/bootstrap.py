"""The only place where the extractor's parts are made and put together.

Every outside thing is a parameter with the real one as its default: "what does this service touch?" is answered here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from contracts import topics
from contracts.record import Record
from contracts.records import (
    DriftDetected,
    DriftWords,
    EntitiesExtracted,
    ModelRef,
    NoteAccepted,
    QualityMeasured,
    ReviewRequested,
    StatisticsObserved,
)
from contracts.registry import ConfluentRegistry, Registry, RegistryUnavailable, SchemaNotFound
from contracts.wire import Deserializer, Serializer
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.kafka.deadletter import DeadLetterBudget
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.follow import TopicFollower
from runtime.kafka.tracing import Spans, open_spans, traced
from runtime.service.health import Liveness, Readiness
from runtime.service.logs import get_logger
from runtime.service.metrics import Metrics
from runtime.service.run import Shell
from runtime.service.secret_files import read_key
from runtime.service.settings import time_zone
from runtime.service.waiting import CONTRACT_READ
from runtime.stream.faust.app import BatchApp, BatchLimits, leave_now, run
from runtime.stream.state import ASSIGNED
from runtime.stream.worker import Sender
from sealing import BatchSeals, Missing, PatientKeys, reading, writing
from serving.champion import MODEL_LOADED, event_reader, followers, make_keeper, make_rules_keeper, open_tables
from serving.models import Keeper, ModelKeeper, Models, NoModelError, OpenedTagger, Reloader, RulesKeeper, Serving
from serving.tagging import LoadedModel, Tagger

from extractor.agent import declare
from extractor.columns import PlainCodecs
from extractor.domain.audit_rates import parse_rates
from extractor.domain.new_words import NewWords
from extractor.domain.sampling import OpenEpisodes, Sampling, SamplingRates
from extractor.handler import COLUMN_NOTES, STAGE, Codecs, ExtractionHandler, Topics
from extractor.metrics import DRIFT_UNREVIEWED, METRICS
from extractor.settings import ExtractorSettings

R = TypeVar("R", bound=Record)
GROUP = "rxtract-extractor"

_log = get_logger(__name__)
_CALL_BATCHES = 4  # full ones in a call: what a call costs beside its notes is then a tenth of what it costs
_MAX_KEY_BYTES = 64  # what blake2b takes
_LIVE_WITHOUT_TICK_S = 15.0  # with the limit for standing still: a hang is seen within 45 s


def codecs(registry: Registry, settings: ExtractorSettings, keys: PatientKeys | None = None) -> Codecs:
    """Make the codecs of all topics that the extractor reads or writes.

    Raises:
        RegistryUnavailable: The registry is away.
        SchemaNotFound: Our schemas are not registered yet.
    """
    note = Deserializer.for_topic(NoteAccepted, registry, settings.topic(topics.NOTES_ACCEPTED))
    entities = Serializer.for_topic(EntitiesExtracted, registry, settings.topic(topics.ENTITIES_EXTRACTED))
    review = Serializer.for_topic(ReviewRequested, registry, settings.topic(topics.REVIEW_REQUESTED))
    statistics = Serializer.for_topic(StatisticsObserved, registry, settings.topic(topics.STATISTICS_OBSERVED))
    return Codecs(
        # What cannot be opened must never be tagged as an empty text.
        note=reading(note, NoteAccepted, keys, Missing.REFUSE),
        entities=writing(entities, keys),
        review=writing(review, keys),
        statistics=statistics,
        model_event=event_reader(registry, settings),
        drift=Deserializer.for_topic(DriftDetected, registry, settings.topic(topics.DRIFT_DETECTED)),
        quality=Deserializer.for_topic(QualityMeasured, registry, settings.topic(topics.QUALITY_MEASURED)),
        words=Serializer.for_topic(DriftWords, registry, settings.topic(topics.DRIFT_WORDS)),
        plain=PlainCodecs(note, entities, review, statistics, None if keys is None else BatchSeals(keys)),
    )


@dataclass(slots=True, kw_only=True)
class Extractor(Shell[ExtractorSettings]):
    """One process: waits for the contract and a model, joins the group, works until it is asked to stop."""

    registry: Registry
    keeper: ModelKeeper | None
    rules: RulesKeeper | None
    fixed_model: LoadedModel | None
    make_sender: Callable[[], Sender]
    limits: BatchLimits
    sampling_key: bytes | None
    zone: ZoneInfo
    keys: PatientKeys | None = None
    spans: Spans | None = None
    episodes: OpenEpisodes = field(default_factory=OpenEpisodes)
    errors: ConsumerErrors = field(init=False)
    sampling: Sampling = field(init=False)

    def __post_init__(self) -> None:
        """One place takes what all our consumers are told, and one what is to be audited."""
        Shell.__post_init__(self)
        self.sampling = self._sampling()
        self.errors = ConsumerErrors(self.metrics, self.readiness, self.settings.fault_limit_s)

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; returns the exit code."""
        with self.running():
            made = self.until(lambda: codecs(self.registry, self.settings, self.keys), CONTRACT_READ)
            retry_s, away = self.settings.model_retry_s, (RegistryUnavailable, SchemaNotFound, NoModelError)
            if made is None or self.until(self._load_model, MODEL_LOADED, retry_s, away) is None:
                return 0
            parts = self._followers(made)
            for part in parts:
                part.start()
            try:
                return run(self.app(made), self.stop)
            finally:
                for part in parts:
                    part.stop()

    def _followers(self, made: Codecs) -> list[Reloader | TopicFollower[Any]]:
        """Threads beside the stream: open drift, the audit's rate, the slow look at the alias, promotions as they are told."""
        parts: list[Reloader | TopicFollower[Any]] = [
            self._follow(topics.DRIFT_DETECTED, made.drift, self.episodes.tell)
        ]
        if self.settings.audit_rate is None and self.sampling.audits:
            parts.append(self._follow(topics.QUALITY_MEASURED, made.quality, self.sampling.audit_rates.tell))
        if self.keeper is None or self.rules is None:
            return parts
        kept: dict[str, Keeper[Any]] = {self.settings.model_name: self.keeper, self.settings.rules_name: self.rules}
        return [*parts, *followers(self.settings, kept, made.model_event, self.metrics, errors=self.errors)]

    def _follow(self, topic: str, decode: Deserializer[R], on_record: Callable[[R], None]) -> TopicFollower[R]:
        config, name = self.settings.kafka_client_config(), self.settings.topic(topic)
        return TopicFollower(config, name, decode, on_record, metrics=self.metrics, errors=self.errors)

    def app(self, made: Codecs) -> BatchApp:
        """Make the Faust application; it joins the group when it is run."""
        settings = self.settings
        app = BatchApp(
            settings,
            group=GROUP,
            topic=settings.topic(topics.NOTES_ACCEPTED),
            handler=traced(self.handler(made), self.spans),
            sender=self.make_sender(),
            metrics=self.metrics,
            liveness=self.liveness,
            readiness=self.readiness,
            limits=self.limits,
            session_timeout_s=settings.session_timeout_s,
            instance_id=settings.group_instance_id,
            stage=STAGE,
            tries=settings.kill_tries,
            errors=self.errors,
        )
        declare(app)
        return app

    def handler(self, made: Codecs) -> ExtractionHandler:
        """Make the handler over the served model."""
        return ExtractionHandler(
            self._serving(),
            made,
            Topics(
                entities=self.settings.topic(topics.ENTITIES_EXTRACTED),
                reviews=self.settings.topic(topics.REVIEW_REQUESTED),
                statistics=self.settings.topic(topics.STATISTICS_OBSERVED),
                words=self.settings.topic(topics.DRIFT_WORDS),
            ),
            DeadLetterBudget(),
            metrics=self.metrics,
            review_below=self.settings.review_below,
            sampling=self.sampling,
            new_words=NewWords(self._drifted_segment, lambda: self.episodes.are_open),
            attempts=self.settings.tag_attempts,
            column_notes=COLUMN_NOTES,
            most_notes=max(self.limits.batch_records, self.limits.call_records),
        )

    def _drifted_segment(self, note: NoteAccepted, serial: int) -> str | None:
        found = self.episodes.worst(note, serial)
        return None if found is None else found[0]

    def _sampling(self) -> Sampling:
        settings = self.settings
        rates = SamplingRates(
            SamplingRates().audit if settings.audit_rate is None else settings.audit_rate,
            settings.drift_warning_rate,
            daily_budget=settings.drift_daily_budget,
            audit_of=parse_rates(settings.audit_rates),
        )
        unreviewed = self.metrics.counter(DRIFT_UNREVIEWED).inc
        return Sampling(settings.review_below, self.sampling_key, rates, self.episodes, self.zone, unreviewed)

    def info(self) -> Mapping[str, Any]:
        """Which model and rules serve, in which group."""
        served = self.fixed_model if self.keeper is None else self.keeper.served
        model = None if served is None else {"name": served.ref.name, "version": served.ref.version}
        serial = None if served is None else served.ref.serial
        rules = None if self.rules is None or self.rules.served is None else self.rules.served.ref
        return {
            "model": model,
            "serial": serial,
            "rules": None if rules is None else {"name": rules.name, "version": rules.version},
            "rules_serial": None if rules is None else rules.serial,
            "group": self.settings.group(GROUP),
            "audit_rate": self.sampling.audit_rates.usual if self.sampling.audits else None,
        }

    def _serving(self) -> Callable[[], LoadedModel]:
        if self.keeper is not None and self.rules is not None:
            return Serving(self.keeper.current, self.rules.current).current
        return self._fixed

    def _fixed(self) -> LoadedModel:
        if self.fixed_model is None:
            raise NoModelError("no model is loaded")
        return self.fixed_model

    def _load_model(self) -> bool:
        if self.keeper is not None:
            self.keeper.load_first()
        if self.rules is not None:
            self.rules.load_first()
        return True


def bootstrap(
    settings: ExtractorSettings,
    *,
    tagger: Tagger | None = None,
    registry: Registry | None = None,
    models: Models | None = None,
    rules: Models | None = None,
    opener: Callable[[bytes, str], OpenedTagger] = open_tables,
    make_sender: Callable[[], Sender] | None = None,
    limits: BatchLimits | None = None,
) -> Extractor:
    """Put an extractor together.

    Args:
        settings: Parsed environment.
        tagger: Serve this instead of a registered model (benchmarks and crash tests).
        registry: Schema registry.
        models: Model registry.
        rules: Registry of the rules, if it is another one.
        opener: Makes a tagger of a model's bytes.
        make_sender: Makes the producer.
        limits: Bounds.
    """
    metrics = Metrics(METRICS)
    metrics.build_all()
    fixed = None if tagger is None else LoadedModel(ModelRef(name="fixed", version="0", serial=0), tagger)
    keeper = None if fixed is not None else make_keeper(settings, metrics, models, opener)
    return Extractor(
        settings=settings,
        registry=registry or ConfluentRegistry(settings.schema_registry_url),
        keeper=keeper,
        rules=None if keeper is None else make_rules_keeper(settings, metrics, keeper, rules or models),
        fixed_model=fixed,
        make_sender=make_sender or (lambda: DeliveryProducer(settings.kafka_client_config())),
        metrics=metrics,
        liveness=Liveness(_LIVE_WITHOUT_TICK_S),
        readiness=Readiness(CONTRACT_READ, MODEL_LOADED, ASSIGNED),
        limits=limits
        or BatchLimits(batch_records=settings.batch_records, call_records=_CALL_BATCHES * settings.batch_records),
        sampling_key=_sampling_key(settings),
        zone=time_zone(settings.timezone),
        keys=settings.patient_keys(),
        spans=open_spans(settings),
    )


def _sampling_key(settings: ExtractorSettings) -> bytes | None:
    if settings.sampling_key_file is None:
        _log.warning("no audit: set RXTRACT_SAMPLING_KEY_FILE; only unsure notes go to review")
        return None
    return read_key(settings.sampling_key_file, "RXTRACT_SAMPLING_KEY_FILE")[:_MAX_KEY_BYTES]


def serve(settings: ExtractorSettings) -> None:
    """Run one extractor until it is asked to stop."""
    if code := bootstrap(settings).run():
        leave_now(code)
