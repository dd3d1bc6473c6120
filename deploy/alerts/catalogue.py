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
        last: Whether it leaves something behind that others would stumble over.
    """

    what: str
    alerts: tuple[str, ...]
    run: Run
    last: bool = False


FAULTS: list[Fault] = []


def fault(what: str, *alerts: str, last: bool = False) -> Callable[[Run], Run]:
    """Enter a fault into the list."""

    def enter(run: Run) -> Run:
        FAULTS.append(Fault(what, tuple(f"Rxtract{name}" for name in alerts), run, last))
        return run

    return enter
