"""A task of the queue, the verdicts on it, and where it belongs next. No text anywhere."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from enum import StrEnum

from annotations.spans import Span
from annotations.trust import Trust
from annotations.verdicts import SKIPPED, State, Verdict, settle
from contracts.records import Sample
from contracts.segments import segments_of

_DRIFT_FIRST = 1_000.0
AUDIT, DRIFT = Sample.AUDIT.value, Sample.DRIFT.value


class Queue(StrEnum):
    """Where a task waits."""

    OPEN = "open"
    AUDIT = "audit"
    SECOND = "second"
    LEAD = "lead"


@dataclass(frozen=True, slots=True)
class Task:
    """One note to look at: a pointer to its request, and what its place in the queue follows from."""

    revision: int
    serial: int
    rules_serial: int
    partition: int
    offset: int
    confidence: float
    sample: str
    city: str
    specialty: str
    requested_at: int
    double: bool
    gain: float | None = None
    """What an answer is expected to teach, for a token of reading; None in requests from before it was known."""

    def to_json(self) -> str:
        """As Redis keeps it."""
        return json.dumps(astuple(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Task":
        """From what Redis kept."""
        return cls(*json.loads(text))

    @property
    def rank(self) -> tuple[int, int, int]:
        """The newer (revision, model serial, rules serial) retires the older."""
        return self.revision, self.serial, self.rules_serial

    @property
    def segments(self) -> tuple[str, ...]:
        """The segments that the note belongs to, as drift names them."""
        return segments_of(self.city, self.specialty)


@dataclass(frozen=True, slots=True)
class DeskVerdict(Verdict):
    """A verdict with what the desk tells people of agreement and pace: offsets, labels and digests, no text.

    Attributes:
        tokens: Of the note.
        labelled: (position, label) of its labelled tokens.
        seconds: Spent on this revision, earlier verdicts of the same annotator included.
        related: (start of the treatment, start of the disease, type) of each relation.
        prescribed: A digest of each span's prescription, in its order; "" where there is none.
    """

    tokens: int = 0
    labelled: tuple[tuple[int, str], ...] = ()
    seconds: float = 0.0
    related: tuple[tuple[int, int, str], ...] = ()
    prescribed: tuple[str, ...] = ()

    def to_json(self) -> str:
        """As Redis keeps it."""
        return json.dumps([getattr(self, name) for name in _FIELDS], separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "DeskVerdict":
        """From what Redis kept."""
        kept = dict(zip(_FIELDS, json.loads(text), strict=True))
        for name in ("stated", "prescribed"):
            kept[name] = tuple(kept[name])
        for name in ("labelled", "related"):
            kept[name] = tuple(map(tuple, kept[name]))
        kept["spans"] = tuple(Span(*span) for span in kept["spans"])
        return cls(**kept)


_FIELDS = tuple(field.name for field in fields(DeskVerdict))

Verdicts = Mapping[str, DeskVerdict]
"""The standing verdict of each annotator on a note."""


def _on(task: Task, verdicts: Verdicts) -> list[DeskVerdict]:
    return [verdict for verdict in verdicts.values() if verdict.revision == task.revision]


def queue_of(task: Task, verdicts: Verdicts, trust: Trust) -> Queue | None:
    """Where a task waits after these verdicts; None when it is finished. What `trust` holds leaves it to others."""
    current = _on(task, verdicts)
    settlement = settle(current, trust)
    if settlement.state is State.UNANSWERED:
        # An audit note cannot be skipped away; an uncertain one may be left to its fate.
        if task.sample == AUDIT:
            return Queue.AUDIT
        return None if any(verdict.outcome == SKIPPED for verdict in current) else Queue.OPEN
    if settlement.state is State.DISPUTED:
        return Queue.LEAD
    if settlement.verdict is not None and settlement.verdict.adjudicates:
        return None
    answers = [verdict for verdict in current if verdict.counts(trust)]
    return Queue.SECOND if len(answers) < _wanted(task, answers) else None


def _wanted(task: Task, answers: list[DeskVerdict]) -> int:
    """A flag on an audit note needs a second pair of eyes: it would skip the note away otherwise."""
    flagged = any(not verdict.labels for verdict in answers)
    return 2 if task.double or (task.sample == AUDIT and flagged) else 1


def may_take(annotator: str, task: Task, verdicts: Verdicts) -> bool:
    """Whether a person has not answered on this revision yet: nobody reviews or adjudicates his own verdict."""
    return annotator not in verdicts or verdicts[annotator].revision != task.revision


def may_change(annotator: str, task: Task, verdicts: Verdicts) -> bool:
    """Whether a person may replace his own verdict on this revision: until a lead, not himself, has decided between verdicts."""
    if may_take(annotator, task, verdicts):
        return False
    if verdicts[annotator].is_check:
        return True  # as of any note: that it was settled before must not show
    others = {who: verdict for who, verdict in verdicts.items() if who != annotator}
    return not any(verdict.adjudicates for verdict in _on(task, others))


def shown_spans(
    annotator: str, task: Task, verdicts: Verdicts, trust: Trust, *, is_checked: bool = False
) -> tuple[tuple[Span, ...], str] | None:
    """The spans that a person may see of a note that he only looks at, and whose they are; None: what the model found.

    What a lead has decided counts; before that his own. While the note waits for others nothing of theirs is shown, and nothing of the model's: whoever looked would
    not be free of it when it is his turn.
    """
    settled = settle(_on(task, verdicts), trust).verdict
    if settled is not None and settled.adjudicates and settled.annotator != annotator and not is_checked:
        return settled.spans, "as a lead decided"
    if not may_take(annotator, task, verdicts):
        return verdicts[annotator].spans, "as you left it"
    if is_checked or queue_of(task, verdicts, trust) is not None:
        return (), "it waits for review, so no marks are shown"
    return None if settled is None else (settled.spans, "as a validator left it")


def known_answer(task: Task, verdicts: Verdicts, trust: Trust) -> DeskVerdict | None:
    """The answer by which a hidden check is judged: a lead's, or one that two people gave; None where nothing is as sure as that."""
    current = _on(task, verdicts)
    verdict = settle(current, trust).verdict
    if verdict is None:
        return None
    is_sure = verdict.adjudicates or sum(one.counts(trust) for one in current) > 1
    return verdict if is_sure and verdict.labels else None


def score_of(task: Task) -> float:
    """The place within a queue, lowest first: drift samples, then unsure notes, each by what an answer teaches; audit notes by age.

    A training that waits is judged on drift samples: unsure notes alone, which only teach, would keep it waiting. A request that does
    not say what it teaches comes behind those that do, the least confident first.
    """
    if task.sample == AUDIT:
        return float(task.requested_at)
    place = task.confidence if task.gain is None else -task.gain
    return place - _DRIFT_FIRST if task.sample == DRIFT else place


def why(task: Task, queue: Queue, drifted: Mapping[str, str]) -> str:
    """Why the note is here, in plain words. Nobody is told that a first opinion exists: both shall be free of it."""
    if queue is Queue.LEAD:
        return "two validators disagree"
    if task.sample == AUDIT:
        return "random audit"
    if task.sample == DRIFT or any(segment in drifted for segment in task.segments):
        return "notes from this city or specialty have changed recently"
    return "the model was not sure"


def in_share(key: bytes, note: str, share: float) -> bool:
    """Whether a note falls into a share, by a keyed hash of its key: who chooses note_id cannot choose this."""
    digest = hmac.new(key, note.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64
