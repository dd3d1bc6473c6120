"""What a fault is, and the list of all: each module of faults enters its own.

A fault is a generator: what stands before its `yield` is the cause, what stands behind it the cure. Its alerts must fire at the yield,
and must be clear some time after its end.
"""  # noqa: INP001

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from world import World

    Run = Callable[[World], Iterator[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that breaks.

    Attributes:
        what: In words, for the table.
        alerts: All must fire, and be clear again.
        run: The cause, a yield, the cure.
    """

    what: str
    alerts: tuple[str, ...]
    run: Run


FAULTS: list[Fault] = []


def fault(what: str, *alerts: str) -> Callable[[Run], Run]:
    """Enter a fault into the list, in the order of the modules."""

    def enter(run: Run) -> Run:
        FAULTS.append(Fault(what, tuple(f"Rxtract{name}" for name in alerts), run))
        return run

    return enter
