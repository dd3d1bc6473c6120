"""Verdicts of annotators on a note, and the one rule which of them settles it.

KPIs, training, proposals for rules and the review desk all ask `settle`, so that a note which counts as corrected is the note that
teaches, and the desk asks another person exactly while nothing is settled. It is also the one place that leaves out what does not
count: labels of somebody whose labels are held (`annotations.trust`), and answers to hidden checks.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from itertools import combinations
from typing import Generic, Self, TypeVar

from contracts.records import AnnotationOutcome, AnnotationValidated, Assertion

from annotations.spans import Span, spans_of, stated_of
from annotations.trust import Trust

ACCEPTED = AnnotationOutcome.ACCEPTED.value
CORRECTED = AnnotationOutcome.CORRECTED.value
ADJUDICATED = AnnotationOutcome.ADJUDICATED.value
UNREADABLE = AnnotationOutcome.UNREADABLE.value
SKIPPED = AnnotationOutcome.SKIPPED.value
LABELLING = frozenset({ACCEPTED, CORRECTED, ADJUDICATED})
"""Outcomes that say what the entities are."""
MOST_VALIDATORS = 2
"""Who comes after two validators is a lead."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one annotator answered on one revision of a note. No text of it.

    Attributes:
        sequence: Number of this answer among the annotator's answers on this revision, from 1.
        outcome: An `AnnotationOutcome`, by its value.
        spans: The entities, in text order.
        stated: For each span "status time experiencer"; "" where nothing was judged.
        since: When the annotator first answered on this revision, UTC milliseconds.
        at: When this answer was given, UTC milliseconds.
        is_check: Whether the note was settled before and shown again as a hidden check.
    """

    annotator: str
    revision: int
    sequence: int
    outcome: str
    annotation_id: str
    spans: tuple[Span, ...] = ()
    stated: tuple[str, ...] = ()
    since: int = 0
    at: int = 0
    is_check: bool = False

    @classmethod
    def of(cls, annotation: AnnotationValidated) -> Self:
        """The verdict of an annotation event."""
        return cls(
            annotator=annotation.annotator,
            revision=annotation.revision,
            sequence=annotation.sequence,
            outcome=annotation.outcome.value,
            annotation_id=annotation.annotation_id,
            spans=spans_of(annotation.entities),
            stated=tuple(_stated(entity.assertion) for entity in annotation.entities),
            since=annotation.annotated_at,
            at=annotation.annotated_at,
            is_check=annotation.hidden_check,
        )

    @property
    def labels(self) -> bool:
        """Whether it says what the entities are; a skip, or a note that cannot be read, does not."""
        return self.outcome in LABELLING

    @property
    def judges(self) -> bool:
        """Whether it is an answer at all: labels, or that the note cannot be read. A skip leaves the note to others."""
        return self.labels or self.outcome == UNREADABLE

    @property
    def adjudicates(self) -> bool:
        """Whether it is a lead's decision between verdicts."""
        return self.outcome == ADJUDICATED

    def counts(self, trust: Trust) -> bool:
        """Whether it may settle a note: it is an answer, no hidden check, and its annotator's labels are not held."""
        return self.judges and not self.is_check and not trust.holds(self.annotator, self.at)

    @property
    def stated_by_span(self) -> dict[Span, str]:
        """What is stated of each span of which something is."""
        return {span: stated for span, stated in zip(self.spans, self.stated, strict=False) if stated}


V = TypeVar("V", bound=Verdict)


def _stated(assertion: Assertion | None) -> str:
    stated = stated_of(assertion)
    return " ".join(stated) if stated is not None and stated.is_judged else ""


def newest(known: V | None, given: V) -> V:
    """Of two verdicts of one annotator the one that stands: the newer revision, then the higher sequence.

    The result does not depend on the order in which they come, and `since` stays that of the first one on its revision.

    >>> first = Verdict("a", 1, 1, "ACCEPTED", "x", since=10, at=10)
    >>> second = Verdict("a", 1, 2, "CORRECTED", "y", since=20, at=20)
    >>> newest(first, second) == newest(second, first)
    True
    >>> (newest(first, second).outcome, newest(first, second).since)
    ('CORRECTED', 10)
    """
    if known is None or given.revision > known.revision:
        return given
    if given.revision < known.revision:
        return known
    standing = given if given.sequence > known.sequence else known
    return replace(standing, since=min(known.since, given.since))


class State(Enum):
    """How far the verdicts on a note have come."""

    UNANSWERED = "nobody has answered"
    SETTLED = "one verdict speaks for the note"
    UNREADABLE = "all who answered, or a lead at the end, found it unreadable"
    DISPUTED = "the verdicts contradict each other, and no lead has decided"


@dataclass(frozen=True, slots=True)
class Settlement(Generic[V]):
    """What a note's verdicts come to.

    Attributes:
        verdict: The one that speaks for the note; None unless it is settled.
    """

    state: State
    verdict: V | None = None


def settle(verdicts: Iterable[V], trust: Trust) -> Settlement[V]:
    """The one rule which verdict settles a note.

    Only verdicts on the newest revision count, and of those none that is held or answers a hidden check (`Verdict.counts`). The newest adjudication by a lead is final. Without one, all verdicts must agree; then
    the annotator who answered first speaks for the note. A third verdict without labels is a lead's who could not read the note either.

    Args:
        verdicts: Of one note, the standing one of each annotator (`newest`), in any order.
        trust: Whose labels are held.

    >>> from annotations.trust import ALL_TRUSTED, Interval
    >>> ann = Verdict("ann", 1, 1, "CORRECTED", "x", (Span(0, 4, "DISEASE"),))
    >>> ben = Verdict("ben", 1, 1, "ACCEPTED", "y")
    >>> settle([ann, ben], ALL_TRUSTED).state.name
    'DISPUTED'
    >>> lead = Verdict("lead", 1, 1, "ADJUDICATED", "z", (Span(0, 4, "DISEASE"),))
    >>> settle([ann, ben, lead], ALL_TRUSTED).verdict.annotator
    'lead'
    >>> settle([ann, ben], Trust({"ben": (Interval(0),)})).verdict.annotator
    'ann'
    """
    found = list(verdicts)
    revision = max((verdict.revision for verdict in found), default=0)
    answers = [verdict for verdict in found if verdict.revision == revision and verdict.counts(trust)]
    if adjudications := [verdict for verdict in answers if verdict.adjudicates]:
        return Settlement(State.SETTLED, max(adjudications, key=lambda verdict: (verdict.at, verdict.annotator)))
    if not answers:
        return Settlement(State.UNANSWERED)
    unreadable = sum(not verdict.labels for verdict in answers)
    if unreadable == len(answers) or (unreadable and len(answers) > MOST_VALIDATORS):
        return Settlement(State.UNREADABLE)
    if all(agree(one, other) for one, other in combinations(answers, 2)):
        return Settlement(State.SETTLED, min(answers, key=lambda verdict: (verdict.since, verdict.annotator)))
    return Settlement(State.DISPUTED)


def agree(one: Verdict, other: Verdict) -> bool:
    """Whether two verdicts say the same: both label, the same spans, and the same of each entity of which both state something."""
    if one.labels != other.labels or set(one.spans) != set(other.spans):
        return False
    first, second = one.stated_by_span, other.stated_by_span
    return all(first[span] == second[span] for span in first.keys() & second.keys())
