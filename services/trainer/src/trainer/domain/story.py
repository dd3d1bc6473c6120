"""What is known of an order beside its command, when it is carried out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from contracts.records import ModelCommand

from trainer.domain.ledger import Ledger
from trainer.domain.rules import ALL_NOTES


@dataclass(frozen=True, slots=True)
class Waiting:
    """An order of drift that waits for labels, and the segments that still drift."""

    command: ModelCommand
    segments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """Where an order stands.

    Attributes:
        said_missing: How many labels it was last said to wait for.
        segments: Those of the drift that it answers and that still drift.
        waiting: Orders of drift that its run may answer too.
    """

    said_missing: int | None = None
    segments: tuple[str, ...] = ()
    waiting: tuple[Waiting, ...] = ()


UNTOLD = Story()


def story_of(command: ModelCommand, ledger: Ledger, is_over: Callable[[ModelCommand], bool]) -> Story:
    """Put the story of an order together; `is_over` says whether the drift of one has ended."""

    def lasting(drifts: Iterable[ModelCommand]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.segment or ALL_NOTES for one in drifts if not is_over(one)))

    found = [Waiting(one, lasting(ledger.drifts(one))) for one in ledger.waiting(command)]
    return Story(
        ledger.deferred.get(command.command_id),
        lasting(ledger.drifts(command)),
        tuple(one for one in found if one.segments),
    )
