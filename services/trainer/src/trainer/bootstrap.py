"""The only place where the trainer's parts are made and put together."""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from clinical_ner.config import ConfigError, TrainingConfig
from confluent_kafka import Consumer
from contracts import topics
from contracts.record import Record
from contracts.records import (
    AnnotationValidated,
    AnnotatorJudged,
    DriftDetected,
    LabelQuality,
    ModelCommand,
    ModelEvent,
    NoteAccepted,
    QualityMeasured,
)
from contracts.registry import ConfluentRegistry, Registry
from contracts.wire import Deserializer, Serializer
from lifecycle.gate_config import GateConfig, GateConfigError
from lifecycle.rules_gate import RulesGateConfig
from lifecycle.snapshot import CorpusConfig, CorpusConfigError
from model_registry.reading import RULES, ModelReader
from redis import Redis
from runtime.errors import DeliveryFailed, Recoverable, Rejected, SettingsError
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.kafka.delivery import DeliveryProducer, KafkaProducer
from runtime.kafka.follow import TopicFollower
from runtime.kafka.history import History
from runtime.kafka.records import OutputRecord
from runtime.service.health import Readiness
from runtime.service.lease import Lease
from runtime.service.metrics import Metrics
from runtime.service.run import Shell
from runtime.service.secret_files import KEY_BYTES, read_key
from runtime.service.waiting import CONTRACT_READ
from runtime.stream.loop import CONSUMER_DEFAULTS
from runtime.stream.state import ASSIGNED
from sealing import PatientKeys, reading

from trainer.adapters.erasures import ErasureWatch, forgetting
from trainer.adapters.job import JobProcess
from trainer.adapters.live_notes import LiveNotes
from trainer.adapters.models import JobRegistry
from trainer.adapters.rules import RulesRegistry, rules_job
from trainer.adapters.workplace import Workplace
from trainer.domain.asking import FindF1
from trainer.domain.rules import Measured, Recoveries
from trainer.executor import OrderExecutor
from trainer.jobs import JobSettings, Sources
from trainer.metrics import METRICS
from trainer.orders import MODELS, OrderLoop, Readers, Triggers
from trainer.rules import Executors, RulesExecutor
from trainer.settings import TrainerSettings

GROUP = "rxtract-trainer"
_DELIVERY_S = 30.0
R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Codecs:
    """How records become bytes and back."""

    commands: Deserializer[ModelCommand]
    events: Deserializer[ModelEvent]
    annotations: Callable[[bytes | None], AnnotationValidated]
    judged: Deserializer[AnnotatorJudged]
    notes: Callable[[bytes | None], NoteAccepted]
    qualities: Deserializer[QualityMeasured]
    drifts: Deserializer[DriftDetected]
    command: Serializer[ModelCommand]
    event: Serializer[ModelEvent]


def codecs(registry: Registry, settings: TrainerSettings, keys: PatientKeys | None = None) -> Codecs:
    """Make the codecs of all topics that the trainer reads or writes.

    Raises:
        RegistryUnavailable: The registry is away.
        SchemaNotFound: Our schemas are not registered yet.
    """
    name = settings.topic
    annotations = Deserializer.for_topic(AnnotationValidated, registry, name(topics.ANNOTATIONS_VALIDATED))
    notes = Deserializer.for_topic(NoteAccepted, registry, name(topics.NOTES_ACCEPTED))
    return Codecs(
        commands=Deserializer.for_topic(ModelCommand, registry, name(topics.MODEL_COMMANDS)),
        events=Deserializer.for_topic(ModelEvent, registry, name(topics.MODEL_EVENTS)),
        annotations=reading(annotations, AnnotationValidated, keys),
        judged=Deserializer.for_topic(AnnotatorJudged, registry, name(topics.ANNOTATORS_JUDGED)),
        notes=reading(notes, NoteAccepted, keys),
        qualities=Deserializer.for_topic(QualityMeasured, registry, name(topics.QUALITY_MEASURED)),
        drifts=Deserializer.for_topic(DriftDetected, registry, name(topics.DRIFT_DETECTED)),
        command=Serializer.for_topic(ModelCommand, registry, name(topics.MODEL_COMMANDS)),
        event=Serializer.for_topic(ModelEvent, registry, name(topics.MODEL_EVENTS)),
    )


class Publisher:
    """Sends records and waits for the broker's word. May be called from both threads: librdkafka's producer allows it.

    Args:
        config: librdkafka's settings of a client.
        producer: The client to use instead of a new one (tests).
    """

    def __init__(self, config: dict[str, object], producer: KafkaProducer | None = None) -> None:
        self._producer = DeliveryProducer(config, producer)
        self._lock = threading.Lock()

    def __call__(self, records: list[OutputRecord]) -> None:
        """Send.

        Raises:
            Recoverable: The broker did not take all of it in time; sending the same again is harmless.
            ProducerBroken: Nothing will ever be taken: end the process.
        """
        with self._lock:
            try:
                self._producer.send(records).wait(_DELIVERY_S)
            except (DeliveryFailed, Rejected) as error:
                raise Recoverable(f"Kafka did not take it: {error}") from None

    def close(self) -> None:
        """Wait a moment for what is on its way."""
        self._producer.close(5.0)


@dataclass(slots=True, kw_only=True)
class Trainer(Shell[TrainerSettings]):
    """One process: waits for the contract, joins the group, carries orders out until it is asked to stop."""

    registry: Registry
    models: JobRegistry
    rules: RulesRegistry
    rules_gate: RulesGateConfig
    lease: Lease
    job: JobSettings
    keys: PatientKeys | None = None
    errors: ConsumerErrors = field(init=False)

    def __post_init__(self) -> None:
        """One place takes what all our consumers are told."""
        Shell.__post_init__(self)
        self.errors = ConsumerErrors(self.metrics, self.readiness, self.settings.fault_limit_s)

    def info(self) -> Mapping[str, Any]:
        """In which group, and which model it trains."""
        return {"group": self.settings.group(GROUP), "model": self.settings.model_name}

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        settings = self.settings
        with self.running():
            made = self.until(lambda: codecs(self.registry, settings, self.keys), CONTRACT_READ)
            if made is None:
                return
            publish, measured, recoveries = Publisher(settings.kafka_client_config()), Measured(), Recoveries()
            qualities = self._follower(topics.QUALITY_MEASURED, made.qualities, measured.take)
            drifts = self._follower(topics.DRIFT_DETECTED, made.drifts, recoveries.take)

            def f1(version: str, serial: int | None) -> LabelQuality | None:
                # Until all is read an old, bad measurement might be taken for the newest.
                return measured.f1(version, serial) if qualities.caught_up else None

            try:
                with Workplace(settings.work_dir) as place:
                    self.loop(made, publish, f1, recoveries.is_over, lambda: drifts.caught_up, place).run()
            finally:
                qualities.stop()
                drifts.stop()
                publish.close()

    def _follower(self, topic: str, decode: Deserializer[R], take: Callable[[R], None]) -> TopicFollower[R]:
        config = self.settings.kafka_client_config()
        follower = TopicFollower(
            config, self.settings.topic(topic), decode, take, metrics=self.metrics, errors=self.errors
        )
        follower.start()
        return follower

    def loop(
        self,
        made: Codecs,
        publish: Publisher,
        f1: FindF1,
        is_over: Callable[[ModelCommand], bool],
        drifts_read: Callable[[], bool],
        place: Path,
    ) -> OrderLoop:
        """Make the loop; it joins the group when it is run."""
        settings, name = self.settings, self.settings.topic
        history = History(settings.kafka_client_config(), self.errors)
        consumer = Consumer(
            {**CONSUMER_DEFAULTS, **settings.kafka_client_config(), "group.id": settings.group(GROUP)}
            | {"error_cb": self.errors.heard}
            | {"partition.assignment.strategy": "range"}  # the loop sets positions of a whole assignment
        )

        def order(command: ModelCommand) -> None:
            key = command.model_name.encode()
            publish([OutputRecord(name(topics.MODEL_COMMANDS), key, made.command(command))])

        def say(event: ModelEvent) -> None:
            publish([OutputRecord(name(topics.MODEL_EVENTS), event.model_name.encode(), made.event(event))])

        def champion() -> tuple[str, int] | None:
            found = self.models.by_alias("champion")
            return None if found is None else (found.version, found.serial)

        return OrderLoop(
            consumer,
            name(topics.MODEL_COMMANDS),
            settings.model_name,
            settings.rules_name,
            decode=made.commands,
            publish=publish,
            order=order,
            say=say,
            make_executor=lambda say_it, go_on, is_ours: self._executors(made, history, say_it, go_on, is_ours, place),
            champion=champion,
            readers=Readers(
                commands=lambda: history.read(name(topics.MODEL_COMMANDS)),
                events=lambda: history.decoded(name(topics.MODEL_EVENTS), made.events),
                f1=f1,
                annotations=lambda: history.size(name(topics.ANNOTATIONS_VALIDATED)),
                is_over=is_over,
                drifts_read=drifts_read,
            ),
            lease=self.lease,
            triggers=Triggers(settings.retrain_after_annotations, settings.retrain_every_h),
            metrics=self.metrics,
            liveness=self.liveness,
            readiness=self.readiness,
            stop=self.stop,
            errors=self.errors,
            tries=settings.kill_tries,
        )

    def _executors(
        self,
        made: Codecs,
        history: History,
        say: Callable[[ModelEvent], None],
        go_on: Callable[[], bool],
        is_ours: Callable[[], bool],
        place: Path,
    ) -> Executors:
        settings = self.settings
        annotations = settings.topic(topics.ANNOTATIONS_VALIDATED)
        judged = settings.topic(topics.ANNOTATORS_JUDGED)
        notes = settings.topic(topics.NOTES_ACCEPTED)

        watch = ErasureWatch(None if self.keys is None else self.keys.store)
        model = OrderExecutor(
            self.models,
            Sources(
                watch.from_here(lambda: history.decoded(annotations, made.annotations)),
                LiveNotes(history, notes, made.notes, settings.shadow_notes),
                lambda: history.decoded(judged, made.judged),
            ),
            forgetting(JobProcess(settings.job_timeout_s), watch),
            self.job,
            say=say,
            may_go_on=go_on,
            is_ours=is_ours,
            metrics=self.metrics,
            place=place,
        )
        rules = RulesExecutor(
            self.rules,
            Sources(tuple, tuple),  # rules learn from no label, and are shown no note of anybody
            rules_job(self.rules_gate),
            JobSettings(settings.rules_name, b"", GateConfig()),
            say=say,
            may_go_on=go_on,
            is_ours=is_ours,
            metrics=self.metrics,
            place=place,
        )
        return Executors(model, rules, settings.rules_name)


def bootstrap(settings: TrainerSettings, *, registry: Registry | None = None) -> Trainer:
    """Put a trainer together.

    Args:
        settings: Parsed environment.
        registry: Schema registry.

    Raises:
        SettingsError: Something that must be set is not, or cannot be used.
    """
    mlflow_url = settings.needed_mlflow_url()
    if settings.redis_url is None:
        raise SettingsError(
            "RXTRACT_REDIS_URL is not set: give it Redis' address, for example redis://127.0.0.1:6379/0"
        )
    metrics = Metrics(METRICS)
    metrics.build_all()
    _log_in_to_mlflow(settings)
    files = ModelReader.of(settings, mlflow_url)
    redis = Redis.from_url(settings.redis_url, socket_timeout=2.0, socket_connect_timeout=2.0)
    return Trainer(
        settings=settings,
        registry=registry or ConfluentRegistry(settings.schema_registry_url),
        models=JobRegistry(mlflow_url, settings.model_name, files),
        rules=RulesRegistry(mlflow_url, settings.rules_name, ModelReader.of(settings, mlflow_url, RULES)),
        rules_gate=_rules_gate(settings),
        lease=Lease(redis, f"rxtract:trainer:{settings.topic_prefix}{settings.model_name}", settings.lease_s),
        job=_job(settings),
        keys=settings.patient_keys(),
        metrics=metrics,
        readiness=Readiness(CONTRACT_READ, ASSIGNED, MODELS),
    )


def serve(settings: TrainerSettings) -> None:
    """Run one trainer until it is asked to stop."""
    bootstrap(settings).run()


def _job(settings: TrainerSettings) -> JobSettings:
    """What every job is told, tried here: a mistake in it would else end each training after minutes."""
    return JobSettings(
        settings.model_name,
        _roles_key(settings),
        _gate(settings),
        _corpus(settings),
        _training(settings),
        settings.seed,
    )


def _gate(settings: TrainerSettings) -> GateConfig:
    try:
        return GateConfig.from_dict(settings.object("gate"))
    except GateConfigError as error:
        raise SettingsError(f"RXTRACT_GATE is not usable ({error}): see lifecycle.gate_config.GateConfig") from None


def _rules_gate(settings: TrainerSettings) -> RulesGateConfig:
    try:
        return RulesGateConfig.from_dict(settings.object("rules_gate"))
    except GateConfigError as error:
        raise SettingsError(
            f"RXTRACT_RULES_GATE is not usable ({error}): see lifecycle.rules_gate.RulesGateConfig"
        ) from None


def _corpus(settings: TrainerSettings) -> dict[str, Any]:
    given = settings.object("corpus")
    try:
        CorpusConfig.from_dict(given)
    except CorpusConfigError as error:
        raise SettingsError(f"RXTRACT_CORPUS is not usable ({error}): see lifecycle.snapshot.CorpusConfig") from None
    return given


def _training(settings: TrainerSettings) -> dict[str, Any]:
    given = settings.object("training")
    try:
        TrainingConfig.from_dict({**TrainingConfig().to_dict(), **given})
    except ConfigError as error:
        raise SettingsError(
            f"RXTRACT_TRAINING is not usable ({error}): see clinical_ner.config.TrainingConfig"
        ) from None
    return given


def _roles_key(settings: TrainerSettings) -> bytes:
    if settings.roles_key_file is None:
        raise SettingsError(
            f"RXTRACT_ROLES_KEY_FILE is not set: give a file of at least {KEY_BYTES} random bytes and never change it"
        )
    return read_key(settings.roles_key_file, "RXTRACT_ROLES_KEY_FILE")


def _log_in_to_mlflow(settings: TrainerSettings) -> None:
    """MLflow's own client takes its limits, user and password from the environment alone."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(int(max(1, settings.mlflow_timeout_s))))
    password = settings.mlflow_password()
    if password is not None:
        os.environ["MLFLOW_TRACKING_USERNAME"] = settings.mlflow_username or ""
        os.environ["MLFLOW_TRACKING_PASSWORD"] = password
