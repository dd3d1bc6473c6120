"""A task of the queue, the words said on it, and where it belongs next. No text anywhere."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from enum import StrEnum

LABELLING = frozenset({"ACCEPTED", "CORRECTED"})
VERDICTS = LABELLING | {"UNREADABLE"}
AUDIT = "AUDIT"
_MOST_VALIDATORS = 2
DRIFT = "DRIFT"

Span = tuple[int, int, str]


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
        city, specialty = f"city={self.city}", f"specialty={self.specialty}"
        return ("all", city, specialty, f"{city}|{specialty}")


@dataclass(frozen=True, slots=True)
class Word:
    """What one validator said on one revision: offsets and labels only.

    Attributes:
        seconds: Spent on this revision, earlier words of the same person included.
        stated: Status, time and experiencer of each span, in its order; "" where nothing was judged.
        related: (start of the treatment, start of the disease, type) of each relation.
        prescribed: A digest of each span's prescription, in its order; "" where there is none.
    """

    revision: int
    sequence: int
    outcome: str
    annotation_id: str
    tokens: int
    labelled: tuple[tuple[int, str], ...]
    spans: tuple[Span, ...]
    seconds: float = 0.0
    stated: tuple[str, ...] = ()
    related: tuple[Span, ...] = ()
    prescribed: tuple[str, ...] = ()

    def to_json(self) -> str:
        """As Redis keeps it."""
        return json.dumps(astuple(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Word":
        """From what Redis kept, this program or an older one."""
        revision, sequence, outcome, annotation_id, tokens, labelled, spans, seconds, *said = json.loads(text)
        stated, related, prescribed = said or ((), (), ())
        return cls(
            revision,
            sequence,
            outcome,
            annotation_id,
            tokens,
            tuple((at, label) for at, label in labelled),
            tuple((start, end, label) for start, end, label in spans),
            seconds,
            tuple(stated),
            tuple((treatment, disease, kind) for treatment, disease, kind in related),
            tuple(prescribed),
        )

    @property
    def stated_by_span(self) -> dict[Span, str]:
        """What is said of each span of which something is."""
        return {span: said for span, said in zip(self.spans, self.stated, strict=False) if said}


Words = Mapping[str, Word]


def queue_of(task: Task, words: Words) -> Queue | None:
    """Where a task waits after these words by annotator; None when it is finished."""
    said = {who: word for who, word in words.items() if word.revision == task.revision}
    outcomes = [word.outcome for word in said.values()]
    if "ADJUDICATED" in outcomes:
        return None
    verdicts = [word for word in said.values() if word.outcome in VERDICTS]
    if not verdicts:
        # An audit note cannot be skipped away; an uncertain one may be left to its fate.
        if task.sample == AUDIT:
            return Queue.AUDIT
        return None if "SKIPPED" in outcomes else Queue.OPEN
    if len(verdicts) < _wanted(task, verdicts):
        return Queue.SECOND
    if len(verdicts) > _MOST_VALIDATORS:
        return None  # the third one is a lead's, who found it unreadable: nobody is asked again
    return None if _agree(verdicts) else Queue.LEAD


def _wanted(task: Task, verdicts: list[Word]) -> int:
    """A flag on an audit note needs a second pair of eyes: it would skip the note away otherwise."""
    flagged = any(word.outcome == "UNREADABLE" for word in verdicts)
    return 2 if task.double or (task.sample == AUDIT and flagged) else 1


def _agree(verdicts: list[Word]) -> bool:
    first = verdicts[0]
    return all(
        (word.outcome in LABELLING) == (first.outcome in LABELLING)
        and set(word.spans) == set(first.spans)
        and _say_the_same(word, first)
        for word in verdicts
    )


def _say_the_same(one: Word, other: Word) -> bool:
    """Whether both say the same of each entity; where one of them says nothing, there is nothing to disagree on."""
    first, second = one.stated_by_span, other.stated_by_span
    return all(first[span] == second[span] for span in first.keys() & second.keys())


def may_take(annotator: str, task: Task, words: Words) -> bool:
    """Whether a person has not spoken on this revision yet: nobody reviews or adjudicates his own word."""
    return annotator not in words or words[annotator].revision != task.revision


def may_change(annotator: str, task: Task, words: Words) -> bool:
    """Whether a person may replace his own word on this revision: until a lead, not himself, has decided between words."""
    if annotator not in words or words[annotator].revision != task.revision:
        return False
    others = [word for who, word in words.items() if who != annotator and word.revision == task.revision]
    return all(word.outcome != "ADJUDICATED" for word in others)


def settled(annotator: str, task: Task, words: Words) -> tuple[tuple[Span, ...], str] | None:
    """What a person may see of a note that he only looks at, and whose word that is; None: what the model said.

    His own word first. While the note waits for others nothing of theirs is shown, and nothing of the model's: whoever looked would
    not be free of it when it is his turn.
    """
    current = {who: word for who, word in words.items() if word.revision == task.revision}
    if annotator in current:
        return current[annotator].spans, "as you left it"
    if queue_of(task, words) is not None:
        return (), "it waits for review, so no marks are shown"
    lead = [word for word in current.values() if word.outcome == "ADJUDICATED"]
    said = lead or [word for word in current.values() if word.outcome in LABELLING]
    if not said:
        return None
    return said[0].spans, "as a lead decided" if lead else "as a validator left it"


def score_of(task: Task) -> float:
    """The place within a queue, lowest first: drift samples, then uncertain notes, each by confidence; audit notes by age.

    A training that waits is judged on drift samples: uncertain notes alone, which only teach, would keep it waiting.
    """
    if task.sample == AUDIT:
        return float(task.requested_at)
    return task.confidence - 1.0 if task.sample == DRIFT else task.confidence


def why(task: Task, queue: Queue, drifted: Mapping[str, str]) -> str:
    """Why the note is here, in plain words. Nobody is told that a first opinion exists: both shall be free of it."""
    if queue is Queue.LEAD:
        return "two validators disagree"
    if task.sample == AUDIT:
        return "random audit"
    if task.sample == DRIFT or any(segment in drifted for segment in task.segments):
        return "the language of its segment has changed"
    return "the model was not sure"


def in_share(key: bytes, note: str, share: float) -> bool:
    """Whether a note falls into a share, by a keyed hash of its key: who chooses note_id cannot choose this."""
    digest = hmac.new(key, note.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64
