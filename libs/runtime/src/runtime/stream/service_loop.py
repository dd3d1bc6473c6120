"""The consumer loop of a service: clients from its settings, what kills it set aside, metrics and readiness those of its shell."""

from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer

from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.records import Handler
from runtime.kafka.tracing import Spans, by_place, traced
from runtime.service.run import Shell
from runtime.stream.attempts import Attempts, quarantined
from runtime.stream.loop import CONSUMER_DEFAULTS, ConsumerLoop, LoopLimits
from runtime.stream.retry import Backoff
from runtime.stream.swollen import SwollenReader


def service_loop(
    shell: Shell[Any],
    group: str,
    topics: Sequence[str],
    handler: Handler,
    *,
    stage: str,
    attempts: Attempts | None = None,
    limits: LoopLimits | None = None,
    spans: Spans | None = None,
    backoff: Backoff | None = None,
    errors: ConsumerErrors | None = None,
    config: Mapping[str, Any] | None = None,
) -> ConsumerLoop:
    """Make a loop; it joins the group when it is run. One beside another takes a `dataclasses.replace` of the shell with numbers of its own.

    Args:
        shell: Whose settings, stop, metrics, readiness and liveness.
        group: Without the prefix of groups.
        topics: Without the prefix of topics.
        handler: Records in, records out.
        stage: Who refuses what killed too often.
        attempts: Of a handler that asks them itself; otherwise it is never given what killed too often.
        limits: Of a batch.
        spans: Traced, where tracing is on.
        backoff: Pauses between tries of what is away.
        errors: Takes what the consumer says in place of records.
        config: More for the consumer, by librdkafka's names.
    """
    settings = shell.settings
    errors = errors or ConsumerErrors(shell.metrics, shell.readiness, settings.fault_limit_s)
    if attempts is None:
        attempts = Attempts(settings.kill_tries, shell.metrics)
        handler = traced(quarantined(handler, attempts, stage), spans, by_place)
    own = {"group.id": settings.group(group), "error_cb": errors.heard}
    return ConsumerLoop(
        Consumer({**CONSUMER_DEFAULTS, **settings.kafka_client_config(), **own, **(config or {})}),
        DeliveryProducer(settings.kafka_client_config()),
        handler,
        [settings.topic(name) for name in topics],
        stop=shell.stop,
        limits=limits,
        metrics=shell.metrics,
        liveness=shell.liveness,
        readiness=shell.readiness,
        backoff=backoff,
        attempts=attempts,
        errors=errors,
        swollen=SwollenReader(settings),
    )
