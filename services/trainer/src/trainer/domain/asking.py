"""What the trainer orders from itself: the first model, trainings by number, by schedule and for a drift that goes on, a rollback."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from contracts.records import LabelQuality, ModelAction, ModelCommand, ModelEventKind

from trainer.domain import identity, rules
from trainer.domain.attempts import FAILED, NOTHING_CAME, next_attempt
from trainer.domain.drifts import IsOver, unanswered
from trainer.domain.order_book import DRIFT, OrderBook

FindF1 = Callable[[str, int | None], LabelQuality | None]
"""The newest audited F1 of a version, since it serves under a serial if that is given; None: not known."""

TRAINER = "trainer"
_HOUR_MS = 3_600_000


class Asking:
    """Says which orders are due. The same story gives the same ones, under the same identities.

    Args:
        annotations: New annotations that ask for a training; 0: never.
        every_h: Hours between two trainings; 0: no schedule.
    """

    def __init__(self, model_name: str, annotations: int, every_h: float, now_ms: Callable[[], int]) -> None:
        self._model_name = model_name
        self._annotations = annotations
        self._every_h = every_h
        self._now_ms = now_ms

    def first(self, book: OrderBook) -> Iterator[ModelCommand]:
        """A model where none serves."""
        identify = partial(identity.first_command_id, self._model_name)
        yield from self._once(book, identify, ModelAction.RETRAIN, "first")

    def trainings(self, book: OrderBook, annotations: int) -> Iterator[ModelCommand]:
        """A model of so many annotations, or because it is time.

        Args:
            book: What was ordered so far.
            annotations: How many there are.
        """
        if self._annotations and annotations - book.learnt >= self._annotations:
            identify = partial(identity.annotations_command_id, self._model_name, book.learnt, self._annotations)
            yield from self._once(book, identify, ModelAction.RETRAIN, "annotations")
        if self._every_h:
            period = int(self._now_ms() / (self._every_h * _HOUR_MS))
            identify = partial(identity.schedule_command_id, self._model_name, period)
            yield from self._once(book, identify, ModelAction.RETRAIN, "schedule", again_after=FAILED)

    def drifts(self, book: OrderBook, champion: str, is_over: IsOver) -> Iterator[ModelCommand]:
        """A model for what drifts on after all orders for it came to nothing.

        It has the time and the segment of the first order: they say which labels and which end of a drift count.
        """
        now_ms = self._now_ms()
        for one in unanswered(book, champion, is_over, now_ms):
            key = identity.drift_command_id(self._model_name, champion, one.segment, one.requested_at, one.attempts)
            if one.is_due(now_ms) and key not in book.commands:
                more = {"champion_version": champion, "segment": one.segment, "requested_at": one.requested_at}
                yield self._command(key, ModelAction.RETRAIN, DRIFT, **more)

    def rollback(self, book: OrderBook, champion: str, serial: int, f1: FindF1) -> Iterator[ModelCommand]:
        """The version before, when the audited quality of the champion has surely fallen below its own.

        The champion's is what was measured since it serves: who promotes it again after a rollback knew what was before.
        """
        before = book.before(champion, serial)
        if before is None:
            return
        now, then = f1(champion, serial), f1(before, None)
        if now is not None and then is not None and rules.is_worse(now, then):
            identify = partial(identity.quality_command_id, self._model_name, champion, serial)
            more: dict[str, Any] = {"target_version": before, "champion_version": champion}
            yield from self._once(book, identify, ModelAction.ROLLBACK, "quality", **more)

    def _once(
        self,
        book: OrderBook,
        identify: Callable[[int], str],
        action: ModelAction,
        reason: str,
        again_after: frozenset[ModelEventKind] = NOTHING_CAME,
        **more: Any,
    ) -> Iterator[ModelCommand]:
        """One command an attempt."""
        command_id = next_attempt(book, identify, self._now_ms(), again_after)
        if command_id is not None:
            yield self._command(command_id, action, reason, **more)

    def _command(self, command_id: str, action: ModelAction, reason: str, **more: Any) -> ModelCommand:
        given = {"requested_at": self._now_ms(), **more}
        return ModelCommand(
            command_id=command_id,
            action=action,
            model_name=self._model_name,
            reason=reason,
            requested_by=TRAINER,
            **given,
        )
