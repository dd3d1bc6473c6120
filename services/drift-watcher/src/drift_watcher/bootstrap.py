"""The only place where the drift-watcher's parts are made and put together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from contracts import topics
from contracts.records import DriftDetected, DriftState, ModelCommand, StatisticsObserved
from contracts.registry import ConfluentRegistry, Registry
from contracts.wire import Deserializer, Serializer
from drift.config import DriftConfig
from drift.watcher import FindReferences
from model_registry.reading import ModelReader
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.kafka.deadletter import DeadLetterBudget
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.history import History
from runtime.service.health import Liveness, Readiness
from runtime.service.metrics import Metrics
from runtime.service.run import Shell
from runtime.service.settings import time_zone
from runtime.service.waiting import CONTRACT_READ
from runtime.stream.faust.app import BatchApp, BatchLimits, leave_now, run
from runtime.stream.state import ASSIGNED
from runtime.stream.worker import Sender

from drift_watcher.adapters.published import PublishedRecords
from drift_watcher.adapters.references import ModelReferences
from drift_watcher.adapters.states import StoredStates
from drift_watcher.agent import declare
from drift_watcher.handler import STAGE, Codecs, DriftHandler, Topics
from drift_watcher.keeper import WatcherKeeper
from drift_watcher.metrics import METRICS
from drift_watcher.settings import DriftWatcherSettings

GROUP = "rxtract-drift-watcher"

_LIMITS = BatchLimits(gather_s=2.0, commit_interval_s=2.0)
"""Statistics come in many small pieces and no one waits for a decision within seconds: batches would cost more than deciding does."""

_LIVE_WITHOUT_TICK_S = 15.0  # with the limit for standing still: a hang is seen within 45 s


def codecs(registry: Registry, settings: DriftWatcherSettings) -> Codecs:
    """Make the codecs of all topics that the drift-watcher reads or writes.

    Raises:
        RegistryUnavailable: The registry is away.
        SchemaNotFound: Our schemas are not registered yet.
    """
    return Codecs(
        statistics=Deserializer.for_topic(StatisticsObserved, registry, settings.topic(topics.STATISTICS_OBSERVED)),
        detected=Serializer.for_topic(DriftDetected, registry, settings.topic(topics.DRIFT_DETECTED)),
        command=Serializer.for_topic(ModelCommand, registry, settings.topic(topics.MODEL_COMMANDS)),
        state=Serializer.for_topic(DriftState, registry, settings.topic(topics.DRIFT_STATE)),
    )


@dataclass(slots=True, kw_only=True)
class DriftWatcher(Shell[DriftWatcherSettings]):
    """One process: waits for the contract, joins the group, works until it is asked to stop."""

    registry: Registry
    find: FindReferences
    zone: ZoneInfo
    make_sender: Callable[[], Sender]
    errors: ConsumerErrors = field(init=False)

    def __post_init__(self) -> None:
        """One place takes what all our consumers are told."""
        Shell.__post_init__(self)
        self.errors = ConsumerErrors(self.metrics, self.readiness, self.settings.fault_limit_s)

    def info(self) -> Mapping[str, Any]:
        """In which group."""
        return {"group": self.settings.group(GROUP)}

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; returns the exit code."""
        with self.running():
            made = self.until(lambda: codecs(self.registry, self.settings), CONTRACT_READ)
            return 0 if made is None else run(self.app(made), self.stop)

    def app(self, made: Codecs) -> BatchApp:
        """Make the Faust application; it joins the group when it is run."""
        settings = self.settings
        state_topic = settings.topic(topics.DRIFT_STATE)
        history = History(settings.kafka_client_config(), self.errors)
        stored = StoredStates(history, state_topic, Deserializer.for_topic(DriftState, self.registry, state_topic))
        detected, commands = settings.topic(topics.DRIFT_DETECTED), settings.topic(topics.MODEL_COMMANDS)
        published = PublishedRecords(
            history,
            detected,
            commands,
            Deserializer.for_topic(DriftDetected, self.registry, detected),
            decode_command=Deserializer.for_topic(ModelCommand, self.registry, commands),
        )
        save_every = (settings.save_every_records, int(settings.save_every_s * 1000))
        keeper = WatcherKeeper(
            stored.newest_first,
            self.find,
            DriftConfig(),
            self.zone,
            save_every=save_every,
            metrics=self.metrics,
            published=published,
        )
        written = Topics(detected, commands, state_topic)
        app = BatchApp(
            settings,
            group=GROUP,
            topic=settings.topic(topics.STATISTICS_OBSERVED),
            handler=DriftHandler(keeper, self.find, made, written, budget=DeadLetterBudget(), metrics=self.metrics),
            sender=self.make_sender(),
            metrics=self.metrics,
            liveness=self.liveness,
            readiness=self.readiness,
            limits=_LIMITS,
            session_timeout_s=settings.session_timeout_s,
            stage=STAGE,
            tries=settings.kill_tries,
            errors=self.errors,
        )
        app.batching.restore = keeper.restore

        def gave_up(_app: object, /, *revoked: Any, **_: Any) -> None:
            keeper.gave_up(chain(*revoked))

        app.on_partitions_revoked.connect(gave_up)  # with nothing assigned in their place, nothing is restored
        declare(app)
        return app


def bootstrap(
    settings: DriftWatcherSettings,
    *,
    registry: Registry | None = None,
    find: FindReferences | None = None,
    make_sender: Callable[[], Sender] | None = None,
) -> DriftWatcher:
    """Put a drift-watcher together.

    Args:
        settings: Parsed environment.
        registry: Schema registry.
        find: Reference statistics of a model.
        make_sender: Makes the producer.
    """
    metrics = Metrics(METRICS)
    metrics.build_all()
    return DriftWatcher(
        settings=settings,
        registry=registry or ConfluentRegistry(settings.schema_registry_url),
        find=find or ModelReferences(ModelReader.of(settings, settings.needed_mlflow_url())),
        zone=time_zone(settings.timezone),
        make_sender=make_sender or (lambda: DeliveryProducer(settings.kafka_client_config())),
        metrics=metrics,
        liveness=Liveness(_LIVE_WITHOUT_TICK_S),
        readiness=Readiness(CONTRACT_READ, ASSIGNED),
    )


def serve(settings: DriftWatcherSettings) -> None:
    """Run one drift-watcher until it is asked to stop."""
    if code := bootstrap(settings).run():
        leave_now(code)
