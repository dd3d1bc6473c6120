"""Whose labels are held: from when, until when, and since when nobody doubts them any more.

A hold is an interval of a person's answers. It is opened by the review desk, when one of the tests of `annotations.watch` fires, and
closed by a lead. `annotations.verdicts.settle` asks `Trust.holds` of each verdict: nothing else leaves held labels out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from contracts.records import AnnotatorJudged, TrustState


@dataclass(frozen=True, slots=True)
class Interval:
    """A part of a person's answers.

    Attributes:
        since: First answer that it covers, UTC milliseconds.
        until: First answer after it that it does not cover; None: all that come.
    """

    since: int
    until: int | None = None

    def covers(self, at: int) -> bool:
        """Whether an answer of that time lies in it."""
        return self.since <= at and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose answers are held, as the newest judgement of each person says.

    Attributes:
        held: Intervals of each annotator; who is not named is trusted.
        judged: When that was decided, UTC milliseconds.

    >>> trust = Trust({"v-1": (Interval(100, 200),)})
    >>> [trust.holds("v-1", 99), trust.holds("v-1", 100), trust.holds("v-1", 200), trust.holds("v-2", 150)]
    [False, True, False, False]
    """

    held: Mapping[str, tuple[Interval, ...]] = field(default_factory=dict)
    judged: Mapping[str, int] = field(default_factory=dict)

    def holds(self, annotator: str, at: int) -> bool:
        """Whether an answer that a person gave at a time does not count."""
        return any(interval.covers(at) for interval in self.held.get(annotator, ()))

    @property
    def people_held(self) -> int:
        """How many people's labels wait for a lead to look."""
        return sum(any(one.until is None for one in intervals) for intervals in self.held.values())

    def after(self, event: AnnotatorJudged) -> Self:
        """Trust after one more judgement; of two on one person the newer counts, in whatever order they come.

        >>> first = AnnotatorJudged(event_id="1", annotator="v-1", state=TrustState.HELD, held=(), judged_at=5)
        >>> Trust().after(first).judged
        {'v-1': 5}
        """
        if event.judged_at < self.judged.get(event.annotator, 0):
            return self
        intervals = tuple(Interval(one.since, one.until) for one in event.held)
        return type(self)({**self.held, event.annotator: intervals}, {**self.judged, event.annotator: event.judged_at})

    @classmethod
    def of(cls, events: Iterable[AnnotatorJudged]) -> Self:
        """Trust after these judgements."""
        trust = cls()
        for event in events:
            trust = trust.after(event)
        return trust


ALL_TRUSTED = Trust(MappingProxyType({}), MappingProxyType({}))
"""Nobody was ever doubted."""


def held_after(held: Iterable[Interval], state: TrustState, *, since: int, at: int) -> tuple[Interval, ...]:
    """The intervals of a person after a judgement.

    Args:
        held: Those before it.
        state: HELD opens an interval; CLEARED takes the open one back; EXCLUDED closes it: its answers never count.
        since: First answer that a new hold covers, UTC milliseconds.
        at: When it is judged.

    >>> held_after((), TrustState.HELD, since=10, at=20)
    (Interval(since=10, until=None),)
    >>> held_after((Interval(10),), TrustState.CLEARED, since=0, at=30)
    ()
    >>> held_after((Interval(10),), TrustState.EXCLUDED, since=0, at=30)
    (Interval(since=10, until=30),)
    """
    closed = tuple(one for one in held if one.until is not None)
    opened = [one for one in held if one.until is None]
    if state is TrustState.HELD:
        return (*closed, Interval(min([since, *(one.since for one in opened)])))
    if state is TrustState.EXCLUDED:
        return (*closed, *(Interval(one.since, at) for one in opened))
    return closed
