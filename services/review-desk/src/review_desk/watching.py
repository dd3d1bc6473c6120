"""Watches whether people still read, holds the labels of who does not, and lets a lead look.

Every replica watches; what one says of a person is said once, because it follows from that person's decisions alone and is named by them.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from annotations.trust import Interval, held_after
from annotations.verdicts import SKIPPED
from annotations.watch import Finding, watch
from contracts.identity import note_key, trust_event_id
from contracts.records import AnnotationValidated, AnnotatorJudged, HeldInterval, TrustDoubt, TrustState
from runtime.service.clock import now_ms
from runtime.service.logs import get_logger

from review_desk.adapters.people_store import PeopleStore, held_people
from review_desk.adapters.store import Store
from review_desk.domain.evidence import decision_of
from review_desk.domain.refusals import Conflict
from review_desk.domain.tasks import known_answer

_log = get_logger(__name__)
_AT_ONCE = 500
LOOKED = frozenset({TrustState.CLEARED, TrustState.EXCLUDED})
"""What a lead may decide."""
Say = Callable[[AnnotatorJudged], None]


class Watching:
    """What people's decisions show, and what follows.

    Args:
        say: Publishes a judgement and waits for the broker's word; raises Recoverable.
        watches: Whether anybody is held; what was decided before counts all the same.
        clock: UTC milliseconds.
    """

    def __init__(
        self,
        people: PeopleStore,
        store: Store,
        say: Say,
        *,
        watches: bool = True,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._watches = watches
        self._people = people
        self._store = store
        self._say = say
        self._clock = clock

    def saw(self, annotations: Sequence[AnnotationValidated]) -> None:
        """Take annotations of the desk that the projection has applied, and judge who gave them.

        Raises:
            Recoverable: A judgement was not acknowledged; send the same annotations again.
        """
        given: dict[str, list[AnnotationValidated]] = defaultdict(list)
        for event in annotations:
            # Of a note the first answer: what is changed later was looked at twice.
            if event.sequence == 1 and event.outcome.value != SKIPPED:
                given[event.annotator].append(event)
        for annotator, events in given.items():
            self._keep(annotator, events)
        if self._watches and self._store.is_ready():
            judged = self._people.judged()
            for annotator in given:
                self._judge(annotator, judged.get(annotator))

    def _keep(self, annotator: str, events: Sequence[AnnotationValidated]) -> None:
        checks = [note_key(event.source, event.note_id) for event in events if event.hidden_check]
        entries = self._store.entries(checks)
        decisions = {}
        for event in events:
            entry = entries.get(note_key(event.source, event.note_id)) if event.hidden_check else None
            known = known_answer(entry.task, entry.verdicts, entry.trust) if entry else None
            decisions[event.annotation_id] = decision_of(event, known)
        self._people.add_decisions(annotator, decisions)

    def _judge(self, annotator: str, last: AnnotatorJudged | None) -> None:
        if last is not None and held_people([last]):
            return  # a lead looks next
        finding = watch(self._people.decisions(annotator, last.judged_at if last else 0))
        if finding is not None:
            self._hold(annotator, last, finding)

    def _hold(self, annotator: str, last: AnnotatorJudged | None, finding: Finding) -> None:
        event = AnnotatorJudged(
            event_id=trust_event_id(annotator, TrustState.HELD.value, finding.at),
            annotator=annotator,
            state=TrustState.HELD,
            doubt=finding.doubt,
            held=_held(last, TrustState.HELD, since=finding.since, at=finding.at),
            decisions=finding.decisions,
            judged_at=finding.at,
        )
        self._say(event)
        self.judged(event)
        _log.warning("labels held", annotator=annotator, doubt=finding.doubt.value, decisions=finding.decisions)

    def judged(self, event: AnnotatorJudged) -> None:
        """Take a judgement: the notes of this person wait for others, or are settled again."""
        if not self._people.set_judged(event):
            return
        notes = self._people.decided(event.annotator)
        for first in range(0, len(notes), _AT_ONCE):
            self._store.place_again(notes[first : first + _AT_ONCE])

    def look(self, lead: str, annotator: str, state: TrustState) -> AnnotatorJudged:
        """Decide what becomes of held labels.

        Raises:
            Conflict: Nothing of this person is held, or it is the lead's own.
            Recoverable: It was not acknowledged; send the same again.
        """
        last = self._people.judged().get(annotator)
        if last is None or not held_people([last]):
            raise Conflict("no labels of this person are held")
        if lead == annotator:
            raise Conflict("nobody clears his own labels: ask another lead")
        at = max(self._clock(), last.judged_at + 1)
        event = AnnotatorJudged(
            event_id=trust_event_id(annotator, state.value, at),
            annotator=annotator,
            state=state,
            doubt=TrustDoubt.NONE,
            held=_held(last, state, since=0, at=at),
            judged_at=at,
            judged_by=lead,
        )
        self._say(event)
        self.judged(event)
        return event

    def held_since(self, annotator: str) -> int | None:
        """Since when a person's labels wait for a lead, UTC milliseconds; None while they count."""
        last = self._people.judged().get(annotator)
        return None if last is None else _since(last)

    def held_notes(self, annotator: str, since: int | None) -> list[str]:
        """The notes whose labels wait for a lead since a moment (`held_since`), the newest first."""
        return [] if since is None else self._people.decided(annotator, since)[::-1]

    def listed(self) -> list[dict[str, Any]]:
        """Everybody who was ever judged, whose labels are held first, the newest first."""
        judged = self._people.judged().values()
        held = {event.annotator for event in held_people(judged)}
        ordered = sorted(judged, key=lambda event: (event.annotator not in held, -event.judged_at))
        return [_row(event, is_held=event.annotator in held) for event in ordered]


def _held(last: AnnotatorJudged | None, state: TrustState, *, since: int, at: int) -> tuple[HeldInterval, ...]:
    before = [Interval(one.since, one.until) for one in last.held] if last else []
    return tuple(
        HeldInterval(since=one.since, until=one.until) for one in held_after(before, state, since=since, at=at)
    )


def _since(event: AnnotatorJudged) -> int | None:
    return min((one.since for one in event.held if one.until is None), default=None)


def _row(event: AnnotatorJudged, *, is_held: bool) -> dict[str, Any]:
    return {
        "annotator": event.annotator,
        "held": is_held,
        "state": event.state.value,
        "doubt": event.doubt.value,
        "decisions": event.decisions,
        "since": _since(event),
        "judged_at": event.judged_at,
        "judged_by": event.judged_by,
    }
