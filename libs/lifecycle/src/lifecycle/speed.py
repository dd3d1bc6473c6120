"""Decode speed of two models, measured in turns so that whatever slows the machine slows both."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROUNDS = 7


class Tags(Protocol):
    """Whatever tags texts."""

    def tag(self, texts: Sequence[str]) -> Sequence[Any]:
        """Return one result a text."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Notes per second of both (medians), and the median of the rounds' ratios, challenger over champion."""

    champion: float
    challenger: float
    ratio: float


def measure(
    champion: Tags,
    challenger: Tags,
    texts: Sequence[str],
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> Speed:
    """Time both on the same texts, one after the other, who goes first changing by round."""
    taken: list[tuple[float, float]] = []
    for model in (champion, challenger):
        model.tag(texts)  # fills the word caches, which a serving model has filled too
    for number in range(rounds):
        first, second = (champion, challenger) if number % 2 == 0 else (challenger, champion)
        times = _time(first, texts, clock), _time(second, texts, clock)
        taken.append(times if number % 2 == 0 else (times[1], times[0]))
    rates = [median(len(texts) / pair[side] for pair in taken) for side in (0, 1)]
    return Speed(rates[0], rates[1], median(left / right for left, right in taken))


def _time(model: Tags, texts: Sequence[str], clock: Callable[[], float]) -> float:
    began = clock()
    model.tag(texts)
    return max(clock() - began, 1e-9)
