"""What is known of an order beside its command, when it is carried out."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from contracts.records import ModelAction, ModelCommand
from contracts.segments import ALL_NOTES

from trainer.domain.drifts import refused_at
from trainer.domain.order_book import OrderBook, is_drift

CLOCKS_APART_MS = 3_600_000
"""Orders carry the notes' clock and labels the desk's: so much earlier a label still counts as one of the new language."""


@dataclass(frozen=True, slots=True)
class Drift:
    """The drift that a run answers.

    Attributes:
        segments: Those that still drift; empty: none.
        since: From when on labels are of the new language, UTC milliseconds. Earlier ones teach, and do not judge.
        refused: Of segments for which a model was refused: when. As many new labels as before the first are waited for.
    """

    segments: tuple[str, ...] = ()
    since: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.segments)

    def __or__(self, other: "Drift") -> "Drift":
        """Both together."""
        if not self or not other:
            return self or other
        segments = tuple(dict.fromkeys((*self.segments, *other.segments)))
        return Drift(segments, min(self.since, other.since), {**self.refused, **other.refused})

    @property
    def labels_from(self) -> dict[str, int]:
        """From when on the labels of each segment count as those that are waited for."""
        return {segment: max(self.since, self.refused.get(segment, self.since)) for segment in self.segments}


NO_DRIFT = Drift()


@dataclass(frozen=True, slots=True)
class Waiting:
    """An order of drift that waits for labels."""

    command: ModelCommand
    drift: Drift


@dataclass(frozen=True, slots=True)
class OrderContext:
    """Where an order stands.

    Attributes:
        missing_labels: How many labels its last event says that it waits for.
        drift: What it answers and what has not ended; of an order that names a segment that one, whether it drifts or not.
        waiting: Orders of drift that its run may answer too.
    """

    missing_labels: int | None = None
    drift: Drift = NO_DRIFT
    waiting: tuple[Waiting, ...] = ()


NO_CONTEXT = OrderContext()


def context_of(command: ModelCommand, book: OrderBook, is_over: Callable[[ModelCommand], bool]) -> OrderContext:
    """Gather what is known of an order; `is_over` says whether the drift of one has ended."""

    def lasting(orders: Iterable[ModelCommand]) -> Drift:
        found = [one for one in orders if not is_over(one)]
        segments = tuple(dict.fromkeys(one.segment or ALL_NOTES for one in found))
        refused = {one.segment or ALL_NOTES: at for one in found if (at := refused_at(one, book, is_over))}
        return Drift(segments, min((one.requested_at - CLOCKS_APART_MS for one in found), default=0), refused)

    drift = _named(command) or lasting(book.drifts(command))
    waiting = [Waiting(one, lasting(book.drifts(one))) for one in book.waiting(command)]
    return OrderContext(
        book.deferred.get(command.command_id),
        drift,
        tuple(one for one in waiting if one.drift),
    )


def _named(command: ModelCommand) -> Drift:
    """The segment that an operator wants a new model judged on, by all labels that there are of it."""
    if command.action is not ModelAction.RETRAIN or is_drift(command) or command.segment is None:
        return NO_DRIFT
    return Drift((command.segment,))
