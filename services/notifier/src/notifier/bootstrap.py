"""The only place that constructs clients. Every outside thing is a parameter, with the real one as default."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from contracts.records import EntitiesExtracted, WebhookDelivery
from contracts.registry import ConfluentRegistry, Registry
from contracts.topics import ENTITIES_EXTRACTED, NOTES_ACCEPTED, NOTES_SUBMITTED, WEBHOOK_DELIVERIES, dlq_of
from contracts.wire import Deserializer, Serializer
from runtime.service.health import Liveness, Readiness
from runtime.service.metrics import Metrics
from runtime.service.run import Shell
from runtime.service.waiting import CONTRACT_READ
from runtime.stream.attempts import Attempts
from runtime.stream.loop import ConsumerLoop, LoopLimits
from runtime.stream.retry import Backoff
from runtime.stream.service_loop import service_loop

from notifier.adapters.endpoints_file import EndpointsFile
from notifier.adapters.receiver import Receiver
from notifier.courier import STAGE, Courier
from notifier.domain.endpoints import Endpoint
from notifier.domain.verdicts import Patience
from notifier.lanes import LaneMetrics, Lanes
from notifier.metrics import METRICS
from notifier.settings import NotifierSettings

GROUP_OF_EACH = "rxtract-notifier-"
"""Before a source: its group."""
TOPICS = (ENTITIES_EXTRACTED, dlq_of(NOTES_SUBMITTED), dlq_of(NOTES_ACCEPTED), WEBHOOK_DELIVERIES)
"""What every lane reads: what models found, what was refused, and what is to be told again."""
_LOOK_AGAIN_S = 2.0
_BATCH_RECORDS = 100
"""Records of a batch: what is delivered again after a crash is among as many."""
_FIRST_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Codecs:
    """How records become bytes and back."""

    event: Deserializer[EntitiesExtracted]
    delivery: Deserializer[WebhookDelivery]
    write: Serializer[WebhookDelivery]


def codecs(settings: NotifierSettings, registry: Registry) -> Codecs:
    """Make them.

    Raises:
        RegistryUnavailable: The registry is away.
        SchemaNotFound: Our schemas are not registered yet.
    """
    deliveries = settings.topic(WEBHOOK_DELIVERIES)
    return Codecs(
        Deserializer.for_topic(EntitiesExtracted, registry, settings.topic(ENTITIES_EXTRACTED)),
        Deserializer.for_topic(WebhookDelivery, registry, deliveries),
        Serializer.for_topic(WebhookDelivery, registry, deliveries),
    )


@dataclass(slots=True, kw_only=True)
class Notifier(Shell[NotifierSettings]):
    """One process."""

    endpoints: EndpointsFile
    lanes: Lanes | None = None

    def info(self) -> Mapping[str, Any]:
        """Who is told."""
        return {"sources": [] if self.lanes is None else self.lanes.sources}

    def make_loop(
        self, made: Codecs, source: str, endpoint: Endpoint, stop: threading.Event, metrics: LaneMetrics
    ) -> "Lane":
        """The loop of one source, in the group of its own."""
        settings = self.settings
        attempts = Attempts(settings.kill_tries, metrics)
        receiver = Receiver(endpoint, settings.webhook_timeout_s, settings.webhook_at_once, stop)
        courier = Courier(
            source,
            endpoint,
            receiver,
            read_event=made.event,
            read_delivery=made.delivery,
            write=made.write,
            topics=(settings.topic(ENTITIES_EXTRACTED), settings.topic(WEBHOOK_DELIVERIES)),
            patience=Patience(settings.webhook_tries),
            attempts=attempts,
            metrics=metrics,
        )
        loop = service_loop(
            replace(self, metrics=metrics, readiness=Readiness(), liveness=Liveness(), stop=stop),
            GROUP_OF_EACH + source,
            TOPICS,
            courier,
            stage=STAGE,
            attempts=attempts,
            limits=LoopLimits(batch_records=_BATCH_RECORDS, watch_handler=False),
            backoff=Backoff(_FIRST_PAUSE_S, 2.0, max(_FIRST_PAUSE_S, settings.webhook_pause_s)),
        )
        return Lane(loop, receiver)


@dataclass(frozen=True, slots=True)
class Lane:
    """A loop and the receiver whose connections go with it."""

    loop: ConsumerLoop
    receiver: Receiver

    def run(self) -> None:
        """Until stopped."""
        try:
            self.loop.run()
        finally:
            self.receiver.close()


def bootstrap(settings: NotifierSettings) -> Notifier:
    """Put a notifier together.

    Raises:
        SettingsError: The file of endpoints cannot be used.
    """
    metrics = Metrics(METRICS)
    metrics.build_all()
    return Notifier(
        settings=settings,
        metrics=metrics,
        readiness=Readiness(CONTRACT_READ),
        endpoints=EndpointsFile(settings.webhooks_file, metrics),
    )


def serve(settings: NotifierSettings, registry: Registry | None = None) -> None:
    """Run until SIGTERM, then finish what was begun.

    Raises:
        SettingsError: The file of endpoints cannot be used.
    """
    notifier = bootstrap(settings)
    chosen = registry or ConfluentRegistry(settings.schema_registry_url)
    with notifier.running():
        made = notifier.until(lambda: codecs(settings, chosen), CONTRACT_READ)
        if made is None:
            return
        lanes = notifier.lanes = Lanes(
            lambda source, endpoint, stop, metrics: notifier.make_loop(made, source, endpoint, stop, metrics),
            notifier.metrics,
        )
        try:
            while not notifier.stop.is_set():
                notifier.liveness.tick()
                lanes.keep(notifier.endpoints())
                notifier.stop.wait(_LOOK_AGAIN_S)
        finally:
            lanes.close()
