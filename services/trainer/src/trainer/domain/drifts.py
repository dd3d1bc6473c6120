"""Drifts that go on although what was ordered for them came to nothing: the drift-watcher orders once a level, and no more."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from contracts.records import ModelCommand, ModelEventKind

from trainer.domain.attempts import NOTHING_CAME, pause_ms
from trainer.domain.order_book import OrderBook, is_drift

LONGEST_MS = 80 * 86_400_000
"""A drift that was found longer ago is left alone: drift.detected.v1, which says how it ended, is kept for 90 days."""

IsOver = Callable[[ModelCommand], bool]


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A segment that drifts and has no open order.

    Attributes:
        segment: As its orders name it.
        requested_at: Of its earliest order: when the drift was found, by the notes' clock.
        attempts: Orders that came to nothing.
        ended_at: When the last of them did, UTC milliseconds.
    """

    segment: str | None
    requested_at: int
    attempts: int
    ended_at: int

    def is_due(self, now_ms: int) -> bool:
        """Whether it is time to order again."""
        return now_ms >= self.ended_at + pause_ms(self.attempts - 1)


def unanswered(book: OrderBook, champion: str, is_over: IsOver, now_ms: int) -> Iterator[Unanswered]:
    """Find the drifts of the version that serves which go on, and of which every order came to nothing.

    An order that was merged ends as the run that took it.
    """
    for segment, orders in _by_segment(book, champion).items():
        lasting = [one for one in orders if not is_over(one) and now_ms - one.requested_at < LONGEST_MS]
        ends = [book.outcome(one.command_id) for one in lasting]
        nothing = [end.at for end in ends if end is not None and end.kind in NOTHING_CAME]
        if nothing and len(nothing) == len(lasting):
            yield Unanswered(segment, min(one.requested_at for one in lasting), len(nothing), max(nothing))


def refused_at(drift: ModelCommand, book: OrderBook, is_over: IsOver) -> int:
    """When a model for this drift was last refused, UTC milliseconds; 0: never. The same labels would give the same again."""
    mine = _by_segment(book, drift.champion_version).get(drift.segment, ())
    ends = [book.outcome(one.command_id) for one in mine if not is_over(one)]
    return max((end.at for end in ends if end is not None and end.kind is ModelEventKind.REJECTED), default=0)


def _by_segment(book: OrderBook, champion: str | None) -> dict[str | None, Sequence[ModelCommand]]:
    found: dict[str | None, list[ModelCommand]] = {}
    for command in book.commands.values():
        if is_drift(command) and command.model_name == book.model_name and command.champion_version == champion:
            found.setdefault(command.segment, []).append(command)
    return dict(found)
