"""The events of orders: one of each kind for a command, under an identity that follows from it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from contracts.records import ModelCommand, ModelEvent, ModelEventKind
from model_registry.version import RULES_TAG, Move, Version
from runtime.service.metrics import Metrics

from trainer import metrics as m
from trainer.domain.context import OrderContext
from trainer.domain.identity import event_id


class EventPublisher:
    """Publishes the events of one model.

    Args:
        send: Publishes an event and waits for the broker's acknowledgement.
    """

    def __init__(
        self, model_name: str, send: Callable[[ModelEvent], None], metrics: Metrics, now_ms: Callable[[], int]
    ) -> None:
        self._model_name = model_name
        self._send = send
        self._metrics = metrics
        self._now_ms = now_ms

    def defer(self, command: ModelCommand, missing: int, context: OrderContext, reasons: Sequence[str]) -> None:
        """Publish how many labels an order waits for, once for each number."""
        if context.missing_labels == missing:
            return
        identity = event_id(command.command_id, ModelEventKind.TRAINING_DEFERRED, str(missing))
        self._publish(command, ModelEventKind.TRAINING_DEFERRED, reasons, identity, missing_labels=missing)

    def fail(self, command: ModelCommand, why: str) -> None:
        """Publish that an order cannot be carried out."""
        self.publish(command, ModelEventKind.TRAINING_FAILED, [why])

    def publish(
        self,
        command: ModelCommand,
        kind: ModelEventKind,
        reasons: Sequence[str],
        *,
        version: Version | None = None,
        previous: str | None = None,
        metrics: Mapping[str, float] | None = None,
        taught_by: Mapping[str, int] | None = None,
        serves: bool = False,
    ) -> None:
        """Publish what became of an order, or that its model is trained."""
        about = _about(version, previous, serves=serves)
        self._publish(
            command,
            kind,
            reasons,
            event_id(command.command_id, kind),
            **about,
            metrics=metrics or {},
            taught_by=taught_by or {},
        )
        if kind is not ModelEventKind.MODEL_TRAINED:
            self._metrics.counter(m.RUNS).labels(command.action.value, kind.value).inc()

    def move(self, move: Move, champion: Version) -> None:
        """Publish a move of the alias whose trainer died before it had published it."""
        kind = ModelEventKind(move.kind)
        reasons = ["published after a restart: the alias had been moved already"]
        about = _about(champion, move.left, serves=True)
        self._publish_of(move.command_id, kind, reasons, event_id(move.command_id, kind), **about)

    def merge(self, command: ModelCommand, into: ModelCommand) -> None:
        """Publish that one run serves two commands."""
        self._send(merged(command, into, self._now_ms()))

    def _publish(
        self, command: ModelCommand, kind: ModelEventKind, reasons: Sequence[str], identity: str, **more: Any
    ) -> None:
        self._publish_of(command.command_id, kind, reasons, identity, model_name=command.model_name, **more)

    def _publish_of(
        self, command_id: str, kind: ModelEventKind, reasons: Sequence[str], identity: str, **more: Any
    ) -> None:
        self._send(
            ModelEvent(
                event_id=identity,
                kind=kind,
                command_id=command_id,
                reasons=tuple(reasons),
                occurred_at=self._now_ms(),
                **{"model_name": self._model_name, **more},
            )
        )


def merged(command: ModelCommand, into: ModelCommand, now_ms: int) -> ModelEvent:
    """The event that says that one run serves two commands."""
    return ModelEvent(
        event_id=event_id(command.command_id, ModelEventKind.MERGED_INTO),
        kind=ModelEventKind.MERGED_INTO,
        model_name=command.model_name,
        command_id=command.command_id,
        merged_into=into.command_id,
        reasons=("a training of the same champion is open already: one run serves both",),
        occurred_at=now_ms,
    )


def ended(command: ModelCommand, kind: ModelEventKind, reasons: Sequence[str], now_ms: int) -> ModelEvent:
    """The event that ends an order that nobody carries out."""
    return ModelEvent(
        event_id=event_id(command.command_id, kind),
        kind=kind,
        model_name=command.model_name,
        command_id=command.command_id,
        reasons=tuple(reasons),
        occurred_at=now_ms,
    )


def _about(version: Version | None, previous: str | None, *, serves: bool) -> dict[str, Any]:
    """What an event says of its version."""
    return {
        "model_version": version.version if version else None,
        "serial": version.serial if version and serves else None,
        "previous_version": previous,
        "artifact_sha256": version.sha256 if version else None,
        "rules_version": version.tags.get(RULES_TAG) if version else None,
    }
