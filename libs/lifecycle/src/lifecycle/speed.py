"""Decode speed of two models, in processor time and in turns: other work on the machine must not fail a model.

The fastest of many rounds counts for each model. A neighbour can only slow a round down, so the fastest one is nearest to what
the model itself needs; medians of wall time let a busy machine report half the speed of an equal model.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROUNDS = 21


class Tags(Protocol):
    """Whatever tags texts."""

    def tag(self, texts: Sequence[str]) -> Sequence[Any]:
        """Return one result a text."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Notes per second of processor time of both, and their ratio, challenger over champion."""

    champion: float
    challenger: float
    ratio: float


def measure(
    champion: Tags,
    challenger: Tags,
    texts: Sequence[str],
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.thread_time,
) -> Speed:
    """Time both on the same texts, one after the other, who goes first changing by round."""
    taken: list[tuple[float, float]] = []
    for model in (champion, challenger):
        model.tag(texts)  # fills the word caches, which a serving model has filled too
    for number in range(rounds):
        first, second = (champion, challenger) if number % 2 == 0 else (challenger, champion)
        times = _time(first, texts, clock), _time(second, texts, clock)
        taken.append(times if number % 2 == 0 else (times[1], times[0]))
    rates = [max(len(texts) / pair[side] for pair in taken) for side in (0, 1)]
    return Speed(rates[0], rates[1], rates[1] / rates[0])


def _time(model: Tags, texts: Sequence[str], clock: Callable[[], float]) -> float:
    began = clock()
    model.tag(texts)
    return max(clock() - began, 1e-9)
